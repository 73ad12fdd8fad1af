#include "flowengine/explain/layered.h"

#include <algorithm>
#include <tuple>

namespace lunar {
namespace {

constexpr double gap_between_boxes = 24;
constexpr double gap_between_layers = 28;
constexpr double width_of_bend = 12;
// How strongly the ends of an edge attract each other: long edges are rather straight than short ones.
constexpr double pull_of_boxes = 1;
constexpr double pull_of_box_and_bend = 2;
constexpr double pull_of_bends = 16;
constexpr int sweeps = 4;
constexpr int alignments = 12;
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
    align();
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
    for (int sweep = 0; sweep < sweeps; ++sweep)
      in_turn(sweep % 2 == 0, [this](std::vector<size_t>& layer, bool down) { sort_by_neighbours(layer, down); });
  }

  template <class Do>
  void in_turn(bool down, Do act) {
    for (size_t i = 0; i < layers_.size(); ++i) act(layers_[down ? i : layers_.size() - 1 - i], down);
  }

  // The mean of the neighbours above or below; where there are none, where it is.
  [[nodiscard]] double wanted_x(const Place& place, bool down) const {
    const std::vector<size_t>& near = down ? place.above : place.below;
    double sum = 0;
    for (const size_t other : near) sum += places_[other].x;
    return near.empty() ? place.x : sum / static_cast<double>(near.size());
  }

  void sort_by_neighbours(std::vector<size_t>& layer, bool down) {
    std::vector<std::tuple<double, size_t, size_t>> wanted;  // where, what was its turn, which
    for (const size_t i : layer) wanted.emplace_back(wanted_x(places_[i], down), wanted.size(), i);
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

  void align() {
    for (int sweep = 0; sweep < alignments; ++sweep)
      in_turn(sweep % 2 == 0, [this](const std::vector<size_t>& layer, bool down) { settle(layer, down); });
  }

  [[nodiscard]] double pull(size_t one, size_t other) const {
    const size_t bends = (one >= boxes_.size() ? 1 : 0) + (other >= boxes_.size() ? 1 : 0);
    return bends == 0 ? pull_of_boxes : bends == 1 ? pull_of_box_and_bend : pull_of_bends;
  }

  // As near to its neighbours above or below as order and gaps allow, by least squares: those that would be too close
  // form a block, which stands at the mean of what its members want (isotonic regression).
  void settle(const std::vector<size_t>& layer, bool down) {
    struct Block {
      double sum = 0, weight = 0;
      size_t end = 0;
      [[nodiscard]] double mean() const { return sum / weight; }
    };
    std::vector<double> offsets;  // from the first place, where all stand as close as they may
    std::vector<Block> blocks;
    for (size_t i = 0; i < layer.size(); ++i) {
      const Place& one = places_[layer[i]];
      offsets.push_back(i == 0 ? 0
                               : offsets[i - 1] + (places_[layer[i - 1]].width + one.width) / 2 + gap_between_boxes);
      Block block{.end = i + 1};
      for (const size_t other : down ? one.above : one.below) {
        block.sum += pull(layer[i], other) * (places_[other].x - offsets[i]);
        block.weight += pull(layer[i], other);
      }
      if (block.weight == 0) block = {one.x - offsets[i], 1, i + 1};
      blocks.push_back(block);
      while (blocks.size() > 1 && blocks[blocks.size() - 2].mean() > blocks.back().mean()) {
        const Block last = blocks.back();
        blocks.pop_back();
        blocks.back() = {blocks.back().sum + last.sum, blocks.back().weight + last.weight, last.end};
      }
    }
    size_t i = 0;
    for (const Block& block : blocks)
      for (; i < block.end; ++i) places_[layer[i]].x = block.mean() + offsets[i];
  }

  LayoutSize place() {
    double left = places_.empty() ? 0 : places_[0].x;
    double right = left;
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
      edges_[index].points.push_back({x, top + (i == 0 ? one.height : 0)});
      if (i + 1 < chain.size()) edges_[index].points.push_back({x, top + heights[one.layer]});
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
