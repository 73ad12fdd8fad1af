"""What packaging/test runs, in this order: the quick answers first."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One invocation of ctest."""

    labels: str  # a regular expression
    parallel: bool = False


@dataclass(frozen=True)
class Step:
    preset: str
    targets: tuple
    runs: tuple

    def only(self, labels: set) -> "Step":
        """The part of the step that runs these labels."""
        runs = tuple(Run("|".join(sorted(wanted)), run.parallel)
                     for run in self.runs if (wanted := labels & set(run.labels.split("|"))))
        return Step(self.preset, self.targets, runs)


STEPS = (
    # What is shipped is what is tested as a whole; assertions are in the builds with sanitizers.
    Step("release", ("all", "deb"), (Run("unit|ring", parallel=True), Run("lint"), Run("bpf"), Run("e2e"), Run("packaging"))),
    Step("asan", ("tests-unit", "tests-ring", "tests-fuzz"), (Run("unit|ring|fuzz", parallel=True),)),
    Step("tsan", ("tests-unit", "tests-ring"), (Run("unit|ring", parallel=True),)),
)
LABELS = sorted({label for step in STEPS for run in step.runs for label in run.labels.split("|")})
