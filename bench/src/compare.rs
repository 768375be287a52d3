//! Two reports side by side: ratios, and whether the goals are met.

use crate::measure::Measured;
use crate::report::{Report, figure};
use crate::scenarios::{Goal, SCENARIOS};

/// Above this rate the generator is the limit, and CPU for each operation says more than the rate.
const GENERATOR_LIMIT: f64 = 8_000.0;

/// How a goal turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    /// The rate ran into the generator's limit; the ratio of CPU time reaches the goal.
    MetByCpu,
    Missed,
    /// A figure is missing on one side.
    Unknown,
    /// There is none.
    NoGoal,
}

/// One row of the comparison.
#[derive(Debug, PartialEq)]
struct Row {
    ours: Option<f64>,
    theirs: Option<f64>,
    /// How many times better ours is.
    ratio: Option<f64>,
    cpu_ratio: Option<f64>,
    goal: String,
    verdict: Verdict,
}

/// A Markdown table of all scenarios that both or one report has, with `ours` measured against `theirs`.
pub fn table(ours: &Report, theirs: &Report) -> String {
    let mut text = format!(
        "| scenario | unit | {} | {} | ratio | CPU ms | CPU ms | CPU ratio | errors | goal | |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
        ours.run.label, theirs.run.label
    );
    let of = |report: &Report, name: &str| -> Measured {
        report.scenarios.iter().find(|measured| measured.scenario == name).cloned().unwrap_or_default()
    };
    for scenario in SCENARIOS {
        let (our, their) = (of(ours, scenario.name), of(theirs, scenario.name));
        let row = compare(scenario.goal, &our, &their);
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} / {} | {} | {} |\n",
            scenario.name,
            unit(scenario.goal),
            figure(row.ours),
            figure(row.theirs),
            figure(row.ratio),
            figure(our.cpu_ms_per_operation),
            figure(their.cpu_ms_per_operation),
            figure(row.cpu_ratio),
            our.errors,
            their.errors,
            row.goal,
            match row.verdict {
                Verdict::Met => "met",
                Verdict::MetByCpu => "met by CPU",
                Verdict::Missed => "missed",
                Verdict::Unknown => "no figure",
                Verdict::NoGoal => "",
            },
        );
    }
    text
}

fn unit(goal: Goal) -> &'static str {
    match goal {
        Goal::Rate(_) => "/s",
        Goal::Median(_) | Goal::Below(_) | Goal::Unset => "ms",
        Goal::Resident(_) => "MiB",
        Goal::Disk(..) => "MiB/10,000",
    }
}

fn compare(goal: Goal, ours: &Measured, theirs: &Measured) -> Row {
    let better = |small: Option<f64>, large: Option<f64>| {
        small.zip(large).filter(|(small, _)| *small > 0.0).map(|(small, large)| large / small)
    };
    let cpu_ratio = better(ours.cpu_ms_per_operation, theirs.cpu_ms_per_operation);
    let figures: fn(&Measured) -> Option<f64> = match goal {
        Goal::Rate(_) => |measured| measured.rate,
        Goal::Median(_) | Goal::Below(_) | Goal::Unset => |measured| measured.p50_ms,
        Goal::Resident(_) => |measured| measured.resident_mib,
        Goal::Disk(..) => |measured| measured.mib_per_10000,
    };
    let (our, their) = (figures(ours), figures(theirs));
    let ratio = if matches!(goal, Goal::Rate(_)) { better(their, our) } else { better(our, their) };
    let reached = |limit: f64| ratio.map(|ratio| ratio >= limit);
    let below = |limit: f64| our.map(|our| our <= limit);
    let at_limit = ours.rate.is_some_and(|rate| rate > GENERATOR_LIMIT);
    let by_cpu = |limit: f64| at_limit && cpu_ratio.is_some_and(|ratio| ratio >= limit);
    let has_goal = goal != Goal::Unset;
    let (goal, met, met_by_cpu) = match goal {
        Goal::Rate(limit) | Goal::Median(limit) => (format!("{limit} x"), reached(limit), by_cpu(limit)),
        Goal::Below(limit) => (format!("{limit} ms"), below(limit), false),
        Goal::Resident(limit) => (format!("{limit} MiB"), below(limit), false),
        Goal::Disk(limit, mib) => {
            let both = reached(limit).zip(below(mib)).map(|(ratio, mib)| ratio && mib);
            (format!("{limit} x, {mib} MiB"), both, false)
        }
        Goal::Unset => ("none: no peer figure".to_owned(), None, false),
    };
    let verdict = match met {
        None if !has_goal => Verdict::NoGoal,
        None => Verdict::Unknown,
        Some(true) => Verdict::Met,
        Some(false) if met_by_cpu => Verdict::MetByCpu,
        Some(false) => Verdict::Missed,
    };
    Row { ours: our, theirs: their, ratio, cpu_ratio, goal, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rate: f64, cpu: f64) -> Measured {
        Measured {
            rate: Some(rate),
            p50_ms: Some(1000.0 / rate),
            cpu_ms_per_operation: Some(cpu),
            ..Measured::default()
        }
    }

    #[test]
    fn rates_are_better_when_larger_and_times_when_smaller() {
        let row = compare(Goal::Rate(100.0), &rate(6_000.0, 0.2), &rate(50.0, 20.0));
        assert_eq!((row.ratio, row.verdict), (Some(120.0), Verdict::Met));
        let row = compare(Goal::Median(130.0), &rate(6_000.0, 0.2), &rate(50.0, 20.0));
        assert_eq!(row.verdict, Verdict::Missed);
        let row = compare(Goal::Median(110.0), &rate(6_000.0, 0.2), &rate(50.0, 20.0));
        assert_eq!(row.verdict, Verdict::Met);
    }

    #[test]
    fn cpu_counts_only_at_the_generators_limit() {
        let synapse = rate(2_000.0, 0.5);
        assert_eq!(compare(Goal::Rate(25.0), &rate(30_000.0, 0.02), &synapse).verdict, Verdict::MetByCpu);
        assert_eq!(compare(Goal::Rate(25.0), &rate(30_000.0, 0.03), &synapse).verdict, Verdict::Missed);
        assert_eq!(compare(Goal::Rate(25.0), &rate(7_000.0, 0.02), &synapse).verdict, Verdict::Missed);
    }

    #[test]
    fn a_missing_figure_is_never_a_goal_that_is_met() {
        let row = compare(Goal::Rate(25.0), &rate(30_000.0, 0.02), &Measured::default());
        assert_eq!((row.ratio, row.verdict), (None, Verdict::Unknown));
        assert_eq!(
            compare(Goal::Resident(60.0), &Measured::default(), &Measured::default()).verdict,
            Verdict::Unknown
        );
    }

    #[test]
    fn without_a_goal_times_are_compared_and_nothing_is_met_or_missed() {
        let row = compare(Goal::Unset, &rate(100.0, 1.0), &rate(50.0, 20.0));
        assert_eq!((row.ratio, row.verdict), (Some(2.0), Verdict::NoGoal));
        let row = compare(Goal::Unset, &rate(100.0, 1.0), &Measured::default());
        assert_eq!((row.ratio, row.verdict), (None, Verdict::NoGoal));
    }

    #[test]
    fn memory_has_an_absolute_goal() {
        let measured = |mib| Measured { resident_mib: Some(mib), ..Measured::default() };
        assert_eq!(compare(Goal::Resident(60.0), &measured(59.0), &measured(175.0)).verdict, Verdict::Met);
        assert_eq!(compare(Goal::Resident(60.0), &measured(61.0), &measured(175.0)).verdict, Verdict::Missed);
    }
}
