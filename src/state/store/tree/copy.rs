//! Taking states over into another generation of their room, before the old one is deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Batch, Snapshot};

use super::node::{Node, Root};
use super::stored::{Tree, put};
use crate::error::StoreError;
use crate::keyspaces::StateNodes;
use crate::numbers::Grove;
use crate::secret::NodeName;

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// With this batch the whole state is there.
    Whole,
    /// Commit this batch, then go on with a new snapshot.
    Partly,
}

/// A node on the way down, and those of its children that are still to be copied.
struct Step {
    name: NodeName,
    node: Arc<Node>,
    children: Vec<NodeName>,
}

impl Tree {
    /// Adds at most `limit` (at least one) nodes of a state to a batch, those that the other generation has not. Children come before
    /// their parents, so a node that is there has everything below it: the copy can be stopped and taken up again at any batch,
    /// and what states share is copied once. The root stays the same.
    pub async fn copy(
        &self,
        snapshot: &Snapshot,
        batch: &mut Batch,
        from: Grove,
        to: Grove,
        root: Root,
        limit: usize,
    ) -> Result<Copied, StoreError> {
        let top: Vec<_> = root.top().into_iter().collect();
        let mut path = Vec::new();
        for name in absent(snapshot, to, &top).await? {
            path.push(self.step(snapshot, from, to, name).await?);
        }
        let mut copied = BTreeSet::new();
        while let Some(mut step) = path.pop() {
            if copied.len() >= limit.max(1) {
                return Ok(Copied::Partly);
            }
            match step.children.pop() {
                Some(child) => {
                    path.push(step);
                    if !copied.contains(&child) {
                        path.push(self.step(snapshot, from, to, child).await?);
                    }
                }
                None => {
                    put(batch, to, step.name, &step.node);
                    copied.insert(step.name);
                }
            }
        }
        Ok(Copied::Whole)
    }

    async fn step(
        &self,
        snapshot: &Snapshot,
        from: Grove,
        to: Grove,
        name: NodeName,
    ) -> Result<Step, StoreError> {
        let node = self.node(snapshot, from, name).await?;
        let children = match &*node {
            Node::Leaf(_) => Vec::new(),
            Node::Inner(children) => {
                let children: Vec<_> = children.iter().flatten().copied().collect();
                absent(snapshot, to, &children).await?
            }
        };
        Ok(Step { name, node, children })
    }
}

/// Those of the nodes that a generation has not.
async fn absent(snapshot: &Snapshot, grove: Grove, names: &[NodeName]) -> Result<Vec<NodeName>, StoreError> {
    let keys: Vec<_> = names.iter().map(|name| (grove.room, grove.generation, *name)).collect();
    let rows = snapshot.get_many::<StateNodes>(&keys).await?;
    Ok(names.iter().zip(rows).filter(|(_, row)| row.is_none()).map(|(name, _)| *name).collect())
}
