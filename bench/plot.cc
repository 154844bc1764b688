#include "bench/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "paxos/base/status.h"

namespace decree::bench {
namespace {

constexpr double kWidth = 860, kHeight = 280;  // of one chart
constexpr double kLeft = 80, kRight = 20, kTop = 50, kBottom = 40;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr size_t kLabelsMax = 15;
constexpr std::array<std::string_view, 4> kColours = {"#1f6feb", "#d1242f", "#2da44e", "#8250df"};

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

std::string Colour(size_t series) { return std::string(kColours[series % kColours.size()]); }

std::string Text(double x, double y, const std::string& more, std::string_view text) {
  return StrCat("<text x='", Number(x), "' y='", Number(y), "' ", more, ">", Escape(text), "</text>\n");
}

// 1, 2 or 5 times a power of ten: the distance of some five lines up to `most`.
double StepFor(double most) {
  const double power = std::pow(10, std::floor(std::log10(most / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (power * factor >= most / 5) return power * factor;
  }
  return power * 10;
}

class Drawing {
 public:
  Drawing(const Chart& chart, double top) : chart_(chart), top_(top + kTop) {
    double most = 0;
    for (const Series& series : chart_.series) {
      positions_ = std::max(positions_, series.values.size());
      for (const double value : series.values) most = std::max(most, value);
    }
    step_ = StepFor(most > 0 ? most : 1);
    scale_ = std::ceil((most > 0 ? most : 1) / step_) * step_;
  }

  std::string ToSvg() const {
    std::string svg = Text(kLeft, top_ - 28, "font-weight='bold'", chart_.title);
    svg += Axes();
    for (size_t i = 0; i < chart_.series.size(); ++i) {
      svg += chart_.is_bars ? Bars(i) : Line(i);
      svg += Text(kLeft + 130 * static_cast<double>(i), top_ - 10, StrCat("fill='", Colour(i), "'"),
                  "\u25a0 " + chart_.series[i].name);
    }
    return svg;
  }

 private:
  double X(double position) const {
    return kLeft + kPlotWidth * (position + 0.5) / static_cast<double>(std::max<size_t>(positions_, 1));
  }
  double Y(double value) const { return top_ + kPlotHeight * (1 - value / scale_); }

  std::string Axes() const {
    std::string svg;
    const int lines = static_cast<int>(std::lround(scale_ / step_));
    for (int i = 0; i <= lines; ++i) {
      const double value = step_ * i;
      svg += StrCat("<line x1='", Number(kLeft), "' x2='", Number(kWidth - kRight), "' y1='", Number(Y(value)),
                    "' y2='", Number(Y(value)), "' stroke='#ddd'/>\n");
      char text[32];
      std::snprintf(text, sizeof(text), "%g", value);
      svg += Text(kLeft - 8, Y(value) + 4, "text-anchor='end'", text);
    }
    const size_t every = chart_.labels.empty() ? (positions_ + kLabelsMax - 1) / kLabelsMax : 1;
    for (size_t i = 0; i < positions_; i += std::max<size_t>(every, 1)) {
      const std::string label = i < chart_.labels.size() ? chart_.labels[i] : std::to_string(i + 1);
      svg += Text(X(static_cast<double>(i)), top_ + kPlotHeight + 18, "text-anchor='middle'", label);
    }
    return svg;
  }

  std::string Line(size_t index) const {
    std::string points;
    const std::vector<double>& values = chart_.series[index].values;
    for (size_t i = 0; i < values.size(); ++i) {
      points += StrCat(Number(X(static_cast<double>(i))), ",", Number(Y(values[i])), " ");
    }
    return StrCat("<polyline fill='none' stroke-width='2' stroke='", Colour(index), "' points='", points, "'/>\n");
  }

  std::string Bars(size_t index) const {
    std::string svg;
    const auto all = static_cast<double>(chart_.series.size());
    const double width = 0.7 * kPlotWidth / static_cast<double>(std::max<size_t>(positions_, 1)) / all;
    const std::vector<double>& values = chart_.series[index].values;
    for (size_t i = 0; i < values.size(); ++i) {
      const double left = X(static_cast<double>(i)) + width * (static_cast<double>(index) - all / 2);
      svg += StrCat("<rect x='", Number(left), "' y='", Number(Y(values[i])), "' width='", Number(width), "' height='",
                    Number(Y(0) - Y(values[i])), "' fill='", Colour(index), "'/>\n");
    }
    return svg;
  }

  const Chart& chart_;
  const double top_;
  size_t positions_ = 0;
  double step_ = 1;
  double scale_ = 1;
};

}  // namespace

std::string ToSvg(const std::vector<Chart>& charts) {
  const double height = kHeight * static_cast<double>(charts.size());
  std::string svg = StrCat("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 ", Number(kWidth), " ", Number(height),
                           "' font-family='sans-serif' font-size='12'>\n"
                           "<rect width='100%' height='100%' fill='white'/>\n");
  for (size_t i = 0; i < charts.size(); ++i) {
    svg += Drawing(charts[i], kHeight * static_cast<double>(i)).ToSvg();
  }
  return svg + "</svg>\n";
}

}  // namespace decree::bench
