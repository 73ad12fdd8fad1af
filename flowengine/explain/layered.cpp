#include "flowengine/explain/layered.h"

#include <algorithm>
#include <tuple>

namespace lunar {
namespace {

constexpr double gap_between_boxes = 24;
constexpr double gap_between_layers = 44;
constexpr double width_of_bend = 12;
constexpr int sweeps = 4;
constexpr size_t most_bends = 20'000;  // beyond that long edges are straight

// A box, or the bend of a long edge in a layer that it crosses.
struct Place {
  double width = 0, height = 0;
  double x = 0;  // of the middle
  size_t layer = 0;
  std::vector<size_t> above, below;
};

class Layout {
 public:
  Layout(std::vector<LayoutBox>& boxes, std::vector<LayoutEdge>& edges) : boxes_(boxes), edges_(edges) {}

  LayoutSize run() {
    for (const LayoutBox& box : boxes_)
      places_.push_back({.width = box.width, .height = box.height, .above = {}, .below = {}});
    assign_layers();
    bend_long_edges();
    order();
    return place();
  }

 private:
  // The longest way from a box that nothing leads to.
  void assign_layers() {
    std::vector<size_t> open(boxes_.size(), 0);
    for (const LayoutEdge& edge : edges_) ++open[edge.to];
    std::vector<size_t> ready;
    for (size_t i = 0; i < boxes_.size(); ++i)
      if (open[i] == 0) ready.push_back(i);
    for (size_t at = 0; at < ready.size(); ++at) {
      for (const LayoutEdge& edge : edges_) {
        if (edge.from != ready[at]) continue;
        places_[edge.to].layer = std::max(places_[edge.to].layer, places_[edge.from].layer + 1);
        if (--open[edge.to] == 0) ready.push_back(edge.to);
      }
    }
  }

  void bend_long_edges() {
    chains_.resize(edges_.size());
    for (size_t i = 0; i < edges_.size(); ++i) {
      size_t last = edges_[i].from;
      chains_[i].push_back(last);
      const size_t end = places_[edges_[i].to].layer;
      const bool bends = places_.size() < boxes_.size() + most_bends;
      for (size_t layer = places_[last].layer + 1; bends && layer < end; ++layer) {
        places_.push_back({.width = width_of_bend, .layer = layer, .above = {}, .below = {}});
        last = connect(last, places_.size() - 1, i);
      }
      connect(last, edges_[i].to, i);
    }
  }

  size_t connect(size_t upper, size_t lower, size_t chain) {
    places_[upper].below.push_back(lower);
    places_[lower].above.push_back(upper);
    chains_[chain].push_back(lower);
    return lower;
  }

  // Each place goes to the mean of its neighbours, downwards and upwards in turn.
  void order() {
    for (size_t i = 0; i < places_.size(); ++i) {
      if (layers_.size() <= places_[i].layer) layers_.resize(places_[i].layer + 1);
      layers_[places_[i].layer].push_back(i);
    }
    for (auto& layer : layers_) spread(layer);
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      const bool down = sweep % 2 == 0;
      if (down) {
        for (auto& layer : layers_) sort_by_neighbours(layer, down);
      } else {
        for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) sort_by_neighbours(*layer, down);
      }
    }
  }

  void sort_by_neighbours(std::vector<size_t>& layer, bool down) {
    std::vector<std::tuple<double, size_t, size_t>> wanted;  // where, what was its turn, which
    for (const size_t i : layer) {
      const std::vector<size_t>& near = down ? places_[i].above : places_[i].below;
      double sum = 0;
      for (const size_t other : near) sum += places_[other].x;
      wanted.emplace_back(near.empty() ? places_[i].x : sum / static_cast<double>(near.size()), wanted.size(), i);
    }
    std::ranges::sort(wanted);
    for (size_t i = 0; i < layer.size(); ++i) layer[i] = std::get<2>(wanted[i]);
    spread(layer);
  }

  // Side by side, around 0.
  void spread(const std::vector<size_t>& layer) {
    double width = -gap_between_boxes;
    for (const size_t i : layer) width += places_[i].width + gap_between_boxes;
    double x = -width / 2;
    for (const size_t i : layer) {
      places_[i].x = x + places_[i].width / 2;
      x += places_[i].width + gap_between_boxes;
    }
  }

  LayoutSize place() {
    double left = 0;
    double right = 0;
    for (const Place& one : places_) {
      left = std::min(left, one.x - one.width / 2);
      right = std::max(right, one.x + one.width / 2);
    }
    std::vector<double> tops;
    std::vector<double> heights;
    double y = 0;
    for (const auto& layer : layers_) {
      double height = 0;
      for (const size_t i : layer) height = std::max(height, places_[i].height);
      tops.push_back(y);
      heights.push_back(height);
      y += height + gap_between_layers;
    }
    for (size_t i = 0; i < boxes_.size(); ++i) {
      boxes_[i].x = places_[i].x - places_[i].width / 2 - left;
      boxes_[i].y = tops[places_[i].layer];
    }
    for (size_t i = 0; i < edges_.size(); ++i) draw(i, left, tops, heights);
    return {right - left, std::max(0.0, y - gap_between_layers)};
  }

  void draw(size_t index, double left, const std::vector<double>& tops, const std::vector<double>& heights) {
    const std::vector<size_t>& chain = chains_[index];
    for (size_t i = 0; i < chain.size(); ++i) {
      const Place& one = places_[chain[i]];
      const double x = one.x - left;
      const double top = tops[one.layer];
      if (i > 0) edges_[index].points.push_back({x, top});
      const bool box = i == 0;
      if (i + 1 < chain.size()) edges_[index].points.push_back({x, top + (box ? one.height : heights[one.layer])});
    }
  }

  std::vector<LayoutBox>& boxes_;
  std::vector<LayoutEdge>& edges_;
  std::vector<Place> places_;
  std::vector<std::vector<size_t>> layers_;
  std::vector<std::vector<size_t>> chains_;  // places that each edge goes through
};

}  // namespace

LayoutSize lay_out(std::vector<LayoutBox>& boxes, std::vector<LayoutEdge>& edges) { return Layout(boxes, edges).run(); }

}  // namespace lunar
