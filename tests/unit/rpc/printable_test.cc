#include "rpc/printable.h"

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

TEST(PrintableTest, AnOrdinaryTextStaysAsItIs) {
  EXPECT_EQ(Printable("", 10), "");
  EXPECT_EQ(Printable("prod-1 \"~\"", 10), "prod-1 \"~\"");
}

TEST(PrintableTest, WhatMeansSomethingToALogOrATerminalIsReplaced) {
  EXPECT_EQ(Printable("a\nF20261201 forged\x1b[31m\x7f\t", 100), "a?F20261201 forged?[31m??");
  EXPECT_EQ(Printable(std::string_view("\0\xff\xc3\xa9", 4), 100), "????");
}

TEST(PrintableTest, ALongTextIsCut) { EXPECT_EQ(Printable("abcdef", 5), "abcde..."); }

}  // namespace
}  // namespace decree::rpc
