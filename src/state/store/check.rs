//! What `plop check` asks of the state store: that every node is what its name says and has its children, and that the auth graph has both
//! ends of each citation.

use futures_util::future::BoxFuture;
use plop_db::{Direction, KeyRange, Pages, Problems, ReadError, Reference, ReferenceCheck, Snapshot};

use crate::keyspaces::{AuthCitations, AuthLinks, StateNodes, StateSecret};
use crate::secret::Secret;
use crate::tree::node::Node;

const PAGE: usize = 1_000;

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(NodesAreWhole),
        Box::new(Reference::<StateNodes, StateNodes>::exists(
            "nodes of state trees",
            |(room, generation, _), row| match &row.node {
                Node::Inner(names) => {
                    names.iter().flatten().map(|child| (*room, *generation, *child)).collect()
                }
                Node::Leaf(_) => Vec::new(),
            },
        )),
        // Whom an event cites stands below it, and knows of it.
        Box::new(Reference::<AuthLinks, AuthLinks> {
            name: "auth chains",
            names: |(room, _), row| row.auth.iter().map(|auth| (*room, *auth)).collect(),
            agrees: |(_, row), (_, cited)| cited.auth_depth < row.auth_depth,
        }),
        Box::new(Reference::<AuthLinks, AuthCitations>::exists("auth chains", |(room, event), row| {
            row.auth.iter().map(|auth| (*room, *auth, *event)).collect()
        })),
        Box::new(Reference::<AuthCitations, AuthLinks> {
            name: "auth citations",
            names: |(room, _, citing), ()| vec![(*room, *citing)],
            agrees: |((_, cited, _), ()), (_, citing)| citing.auth.binary_search(cited).is_ok(),
        }),
    ]
}

/// Names are hashes of what is in the nodes.
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
                for ((room, generation, name), row) in rows {
                    if row.node.name(&secret) != name {
                        problems
                            .report(self.name(), format_args!("{room:?} {generation:?} {name:?} is altered"));
                    }
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
