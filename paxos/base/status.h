#pragma once
// Errors that the outside causes travel as Abseil's Status; it shares its codes with gRPC.
//
// A broken invariant of ours is a glog CHECK instead, and a failing log write ends the process.

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace decree {

using absl::OkStatus;
using absl::Status;
using absl::StatusOr;
using absl::StrCat;

}  // namespace decree

// Returns from the enclosing function if `expression` is an error.
#define RETURN_IF_ERROR(expression)                                             \
  do {                                                                          \
    if (::decree::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define DECREE_CONCAT_INNER(a, b) a##b
#define DECREE_CONCAT(a, b) DECREE_CONCAT_INNER(a, b)
#define DECREE_ASSIGN_OR_RETURN(result, target, expression) \
  auto result = (expression);                               \
  if (!result.ok()) return std::move(result).status();      \
  target = *std::move(result)

// ASSIGN_OR_RETURN(const Header header, ReadHeader(file)): binds the value or returns the error.
#define ASSIGN_OR_RETURN(target, expression) \
  DECREE_ASSIGN_OR_RETURN(DECREE_CONCAT(status_or_, __LINE__), target, expression)
