#pragma once
// How many retries a client may make: a bucket of tokens that successes fill.
//
// A retry takes a token, a success earns a part of one, and a trickle comes with time. While all
// goes well the bucket is full, so that a change of leader is ridden out; when a cluster is
// overloaded and little succeeds, retries are soon a small fraction of the requests, and the
// overload ends when its cause ends.
//
// Passive, for one thread.

#include "paxos/base/time.h"

namespace decree::rpc {

struct RetryBudgetOptions {
  // What a full bucket holds, and what it holds at first.
  double tokens_max = 2000;
  // Earned by every success.
  double tokens_per_success = 0.1;
  // Earned by waiting, so that an idle client, too, gets out of an empty bucket.
  double tokens_per_second = 10;
};

class RetryBudget {
 public:
  RetryBudget(const RetryBudgetOptions& options, Time now);

  // Takes a token for one retry; false if there is none.
  bool TryTake(Time now);
  void OnSuccess();

  double tokens() const { return tokens_; }

 private:
  const RetryBudgetOptions options_;
  double tokens_;  // 0 to tokens_max.
  Time filled_at_;
};

}  // namespace decree::rpc
