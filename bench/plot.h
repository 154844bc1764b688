#pragma once
// Draws charts as an SVG file that any browser shows.

#include <string>
#include <vector>

namespace decree::bench {

struct Series {
  std::string name;
  std::vector<double> values;  // one for each position on the x axis
};

struct Chart {
  std::string title;  // with the unit
  std::vector<Series> series;
  std::vector<std::string> labels;  // below the x axis; empty: the positions' numbers, from 1
  bool is_bars = false;             // lines otherwise
};

// The charts, one below the other.
std::string ToSvg(const std::vector<Chart>& charts);

}  // namespace decree::bench
