//! What `plop check` asks of the state store: that every node is what its name says and has its children, and that the auth graph has both
//! ends of each citation.

use futures_util::future::BoxFuture;
use plop_db::{Direction, KeyRange, Pages, Problems, ReadError, ReferenceCheck, Snapshot};

use crate::keyspaces::{AuthCitations, AuthLinks, StateNodes, StateSecret};
use crate::secret::Secret;
use crate::tree::node::Node;

const PAGE: usize = 1_000;

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![Box::new(NodesAreWhole), Box::new(ChainsAreComplete), Box::new(CitationsAreMade)]
}

/// Names, and children.
struct NodesAreWhole;

impl ReferenceCheck for NodesAreWhole {
    fn name(&self) -> &'static str {
        "nodes of state trees"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let Some(secret) = snapshot.get::<StateSecret>(&()).await?.map(|stored| Secret::new(&stored))
            else {
                if !snapshot.scan(KeyRange::<StateNodes>::all(), Direction::Forward, 1).await?.rows.is_empty()
                {
                    problems.report(self.name(), "there are nodes and no secret");
                }
                return Ok(());
            };
            let mut pages = Pages::new(KeyRange::<StateNodes>::all(), PAGE);
            while let Some(rows) = pages.next(snapshot).await? {
                let mut children = Vec::new();
                for ((room, generation, name), row) in rows {
                    if row.node.name(&secret) != name {
                        problems
                            .report(self.name(), format_args!("{room:?} {generation:?} {name:?} is altered"));
                    }
                    if let Node::Inner(names) = &row.node {
                        children.extend(names.iter().flatten().map(|child| (room, generation, *child)));
                    }
                }
                for (key, child) in children.iter().zip(snapshot.get_many::<StateNodes>(&children).await?) {
                    if child.is_none() {
                        problems.report(self.name(), format_args!("{key:?} is named and not there"));
                    }
                }
            }
            Ok(())
        })
    }
}

/// Every event that a row names has a row, and stands lower; and its citation is there.
struct ChainsAreComplete;

impl ReferenceCheck for ChainsAreComplete {
    fn name(&self) -> &'static str {
        "auth chains"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut pages = Pages::new(KeyRange::<AuthLinks>::all(), PAGE);
            while let Some(rows) = pages.next(snapshot).await? {
                let (mut cited, mut citations, mut ranks) = (Vec::new(), Vec::new(), Vec::new());
                for ((room, event), row) in rows {
                    cited.extend(row.auth.iter().map(|auth| (room, *auth)));
                    citations.extend(row.auth.iter().map(|auth| (room, *auth, event)));
                    ranks.extend(row.auth.iter().map(|_| row.rank));
                }
                let links = snapshot.get_many::<AuthLinks>(&cited).await?;
                let made = snapshot.get_many::<AuthCitations>(&citations).await?;
                for (((key, rank), links), made) in citations.iter().zip(ranks).zip(links).zip(made) {
                    if links.is_none_or(|links| links.rank >= rank) {
                        problems.report(self.name(), format_args!("{key:?}: the cited event is not below"));
                    }
                    if made.is_none() {
                        problems.report(self.name(), format_args!("{key:?}: the citation is not there"));
                    }
                }
            }
            Ok(())
        })
    }
}

/// Every citation is one of the citing event's.
struct CitationsAreMade;

impl ReferenceCheck for CitationsAreMade {
    fn name(&self) -> &'static str {
        "auth citations"
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut pages = Pages::new(KeyRange::<AuthCitations>::all(), PAGE);
            while let Some(rows) = pages.next(snapshot).await? {
                let citing: Vec<_> = rows.iter().map(|((room, _, citing), ())| (*room, *citing)).collect();
                let links = snapshot.get_many::<AuthLinks>(&citing).await?;
                for ((key, ()), links) in rows.iter().zip(links) {
                    if links.is_none_or(|links| links.auth.binary_search(&key.1).is_err()) {
                        problems
                            .report(self.name(), format_args!("{key:?}: the citing event does not cite it"));
                    }
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
