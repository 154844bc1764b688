#include "rpc/recent_problems.h"

#include <algorithm>
#include <utility>

namespace decree::rpc {
namespace {

// A peer or client that is refused tries again several times a second.
constexpr Duration kRecent = Seconds(10);
constexpr size_t kProblemsMax = 16;

}  // namespace

bool RecentProblems::Note(const std::string& text, Time now) {
  const auto found =
      std::find_if(problems_.begin(), problems_.end(), [&](const Problem& problem) { return problem.text == text; });
  const bool is_new = found == problems_.end() || now > found->seen + kRecent;
  if (found != problems_.end()) problems_.erase(found);
  if (problems_.size() == kProblemsMax) problems_.erase(problems_.begin());
  problems_.push_back({.text = text, .seen = now});
  return is_new && IsLineLeft(now);
}

bool RecentProblems::IsLineLeft(Time now) {
  if (now - kRecent > lines_since_) {
    lines_since_ = now;
    lines_ = 0;
  }
  return lines_++ < kProblemsMax;
}

std::vector<std::string> RecentProblems::Recent(Time now) const {
  std::vector<std::string> texts;
  for (const Problem& problem : problems_) {
    if (now <= problem.seen + kRecent) texts.push_back(problem.text);
  }
  return texts;
}

}  // namespace decree::rpc
