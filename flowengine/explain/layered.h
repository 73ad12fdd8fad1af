// A layered layout of an acyclic graph: every edge leads downwards, long ones bend between the boxes in their way.
#pragma once

#include <cstddef>
#include <vector>

namespace lunar {

struct LayoutBox {
  double width = 0, height = 0;
  double x = 0, y = 0;  // of the upper left corner; set by lay_out()
};

struct LayoutPoint {
  double x = 0, y = 0;
};

struct LayoutEdge {
  size_t from = 0, to = 0;
  // From the lower side of one box to the upper side of the other; set by lay_out(). Straight down through a layer from
  // each with an even index to the next, and from there on to the next layer.
  std::vector<LayoutPoint> points;
};

struct LayoutSize {
  double width = 0, height = 0;
};

// What would close a cycle is drawn upwards.
[[nodiscard]] LayoutSize lay_out(std::vector<LayoutBox>& boxes, std::vector<LayoutEdge>& edges);

}  // namespace lunar
