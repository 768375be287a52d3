//! The closed loop: each worker does one operation after another until time or operations run out.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use futures_util::future::join_all;

use crate::http::Failure;
use crate::measure::{Bounds, Measured, Meter, Tally};
use crate::progress::Progress;

/// A server that only refuses is not hammered to the end of the time.
const FAILURES_TO_GIVE_UP: u64 = 5_000;

/// Runs `step` in a loop in each worker at once. `step` gets the worker and the number of the operation.
pub async fn measure<W>(
    meter: &Meter,
    progress: &Progress,
    bounds: Bounds,
    workers: &mut [W],
    step: impl AsyncFn(&mut W, u64) -> Result<(), Failure>,
) -> Measured {
    let concurrency = workers.len();
    let tally = RefCell::new(Tally::default());
    let next = Cell::new(0_u64);
    let start = meter.read();
    let began = Instant::now();
    progress.begin_measuring(bounds);
    join_all(workers.iter_mut().map(|worker| async {
        while began.elapsed() < bounds.time
            && next.get() < bounds.operations
            && tally.borrow().failures() < FAILURES_TO_GIVE_UP
        {
            let number = next.replace(next.get() + 1);
            let sent = Instant::now();
            let outcome = step(worker, number).await;
            tally.borrow_mut().record(sent.elapsed(), &outcome);
            progress.measured(began.elapsed(), number + 1);
        }
    }))
    .await;
    let mut measured = meter.measured(&start, &tally.borrow());
    measured.concurrency = concurrency;
    measured
}

/// Runs `step` once for each item, `concurrency` at a time; the first failure ends it. For set-up.
pub async fn for_each<W, T, R>(
    progress: &Progress,
    workers: &mut [W],
    items: impl ExactSizeIterator<Item = T>,
    step: impl AsyncFn(&mut W, T) -> Result<R, Failure>,
) -> Result<Vec<R>, Failure> {
    progress.begin_setup(items.len());
    let results = RefCell::new(Vec::with_capacity(items.len()));
    let items = RefCell::new(items.enumerate());
    let failure = RefCell::new(None);
    join_all(workers.iter_mut().map(|worker| async {
        while failure.borrow().is_none() {
            let Some((index, item)) = items.borrow_mut().next() else { return };
            match step(worker, item).await {
                Ok(result) => results.borrow_mut().push((index, result)),
                Err(error) => *failure.borrow_mut() = Some(error),
            }
            progress.advance();
        }
    }))
    .await;
    if let Some(failure) = failure.into_inner() {
        return Err(failure);
    }
    let mut results = results.into_inner();
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_ends_at_its_number_of_operations_and_counts_failures() {
        let bounds = Bounds::time(60.0).operations(100);
        let progress = Progress::hidden();
        let step = async |(): &mut (), number: u64| match number % 10 {
            0 => Err(Failure::Unexpected("tenth".into())),
            _ => Ok(()),
        };
        let measured = measure(&Meter::default(), &progress, bounds, &mut [(), (), ()], step).await;
        assert_eq!((measured.operations, measured.errors, measured.concurrency), (100, 10, 3));
    }

    #[tokio::test]
    async fn results_keep_the_order_of_the_items_and_the_first_failure_ends_it() {
        let progress = Progress::hidden();
        let doubled = for_each(&progress, &mut [(), ()], 0..5, async |(), n| Ok(n * 2)).await.unwrap();
        assert_eq!(doubled, [0, 2, 4, 6, 8]);
        let third_fails = async |(): &mut (), n: usize| match n {
            2 => Err(Failure::Unexpected("two".into())),
            _ => Ok(n),
        };
        assert!(for_each(&progress, &mut [(), ()], 0..5, third_fails).await.is_err());
    }
}
