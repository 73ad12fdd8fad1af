// Pictures of a flow: a tree of lines for a terminal, and an SVG document.
#pragma once

#include <string>
#include <vector>

#include "flowengine/explain/steps.h"
#include "flowengine/run/context.h"

namespace lunar {

// Branches are what may follow; a step that several lead to is drawn out once.
[[nodiscard]] std::vector<std::string> draw_tree(const DirectionSteps& steps, Phase phase);
// Both directions under what the flow concerns.
[[nodiscard]] std::string draw_text(const FlowSteps& flow);
// Self-contained, without scripts and fonts of its own, readable on a light and on a dark page.
[[nodiscard]] std::string draw_svg(const FlowSteps& flow);

// What stands above both directions, a line each: what the flow concerns, and its mode where it has one.
[[nodiscard]] std::vector<std::string> notes_of(const FlowSteps& flow);
// Where a direction begins and ends, in words.
[[nodiscard]] std::string_view begin_text(Phase phase);
[[nodiscard]] std::string_view end_text(Phase phase);

}  // namespace lunar
