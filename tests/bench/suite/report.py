"""Medians, ratios paired within rounds, and the table."""

import statistics

from . import rows as definitions

REFERENCES = ("floor", "haproxy", "lunar", "haproxy-tls")


def comparable(gateway, other):
    """What a variant of Lunar costs is seen against Lunar; how others stand to it is their row's business."""
    return gateway != other and (other != "lunar" or gateway.startswith("lunar+"))


class Report:
    def __init__(self, session, rows, rounds):
        self.session = session
        self.rows = rows
        self.rounds = rounds
        self.gateways = [gateway.name for gateway in session.gateways]

    def values(self, row, metric, gateway):
        """A figure per round, None where it is missing."""
        results = self.session.samples.get((row.name, gateway), [])
        if metric.over_direct and gateway != "direct":
            direct = self.session.samples.get((row.name, "direct"), [None] * len(results))
            return [metric.value(mine) - metric.value(base) if mine and base else None
                    for mine, base in zip(results, direct)]
        if gateway == "direct" and metric.key.startswith("cpu"):
            return []
        return [metric.value(result) if result else None for result in results]

    def median(self, row, metric, gateway):
        present = [value for value in self.values(row, metric, gateway) if value is not None]
        return statistics.median(present) if present else None

    def compared(self, row, metric, gateway, other, compare=None):
        """The median over the rounds of the ratio, or difference, to `other` in the same round."""
        compare = compare or metric.compare
        if compare is None or "direct" in (gateway, other):
            return None
        pairs = zip(self.values(row, metric, gateway), self.values(row, metric, other))
        pairs = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
        if compare == "difference":
            found = [mine - theirs for mine, theirs in pairs]
        else:
            found = [mine / theirs for mine, theirs in pairs if theirs > 0]
        return statistics.median(found) if found else None

    def goals(self):
        found = []
        for goal in definitions.GOALS:
            row = definitions.BY_NAME[goal.row]
            metric = next(metric for metric in row.metrics if metric.key == goal.metric)
            if goal.other is None:
                value = self.median(row, metric, goal.gateway)
            else:
                value = self.compared(row, metric, goal.gateway, goal.other, goal.compare)
            if value is not None:
                found.append((goal, metric, value, value <= goal.limit))
        return found

    def as_json(self):
        figures = {}
        for row in self.rows:
            of_row = figures.setdefault(row.name, {})
            for metric in row.metrics:
                of_row[metric.key] = {gateway: self._figure(row, metric, gateway) for gateway in self.gateways}
        return {
            "rounds": self.rounds,
            "figures": figures,
            "goals": [{"gateway": goal.gateway, "row": goal.row, "metric": goal.metric, "other": goal.other,
                       "limit": goal.limit, "value": value, "met": met} for goal, _, value, met in self.goals()],
            "utilisation": {f"{row} {gateway}": round(share, 3)
                            for (row, gateway), share in self.session.utilisation.items()},
            "invalid": self.session.invalid,
        }

    def _figure(self, row, metric, gateway):
        figure = {"median": self.median(row, metric, gateway), "rounds": self.values(row, metric, gateway)}
        for other in REFERENCES:
            figure[f"vs_{other}"] = self.compared(row, metric, gateway, other)
        return figure

    def table(self):
        lines = [f"{'':40}" + "".join(f"{name:>12}" for name in self.gateways)]
        for row in self.rows:
            lines += ["", row.title]
            for metric in row.metrics:
                lines += self._metric_lines(row, metric)
        lines += self._notes()
        return "\n".join(lines)

    def _metric_lines(self, row, metric):
        cells = [self._cell(row, metric, name) for name in self.gateways]
        lines = [f"  {metric.title:38}" + "".join(f"{cell:>12}" for cell in cells)]
        sign = "−" if metric.compare == "difference" else "÷"
        for other in REFERENCES:
            found = [self.compared(row, metric, name, other) if comparable(name, other) else None
                     for name in self.gateways]
            if any(value is not None for value in found):
                shape = "{:+.1f}" if metric.compare == "difference" else "{:.2f}"
                cells = ["" if value is None else shape.format(value) for value in found]
                lines.append(f"    {sign} {other:34}" + "".join(f"{cell:>12}" for cell in cells))
        return lines

    def _cell(self, row, metric, gateway):
        value = self.median(row, metric, gateway)
        if value is None:
            return "–"
        text = f"{value:,.{metric.digits}f}"
        if metric.over_direct and gateway == "direct":
            return f"({text})"
        limited = metric.key == "per_second" and self.session.utilisation[row.name, gateway] < definitions.SATURATED
        return f"~{text}" if limited and gateway != "direct" else text

    def _notes(self):
        lines = ["",
                 f"Medians of {self.rounds} interleaved rounds; ratios (÷) and differences (−) are paired within a round.",
                 "(in parentheses) the direct latency itself; ~ extrapolated from CPU time, the generator was the limit."]
        goals = self.goals()
        if goals:
            lines += ["", "Goals"]
        for goal, metric, value, met in goals:
            difference = (goal.compare or metric.compare) == "difference"
            sign = "" if goal.other is None else f" {'−' if difference else '÷'} {goal.other}"
            title = f"{goal.gateway}: {goal.row}: {metric.title}{sign}"
            lines.append(f"  {'met   ' if met else 'MISSED'} {title:64} {value:9.2f}  ≤ {goal.limit:g}")
        for fault in self.session.invalid:
            lines.append(f"INVALID {fault['row']} {fault['gateway']}: {fault['fault']}")
        return lines
