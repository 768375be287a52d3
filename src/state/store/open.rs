//! Opening the state store of a database.

use plop_base::Random;
use plop_db::{Batch, Db};

use crate::chains::Chains;
use crate::error::StateError;
use crate::keyspaces::StateSecret;
use crate::resolver::Resolver;
use crate::secret::Secret;
use crate::tree::Tree;

/// Memory for what was read from disk, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct CacheBytes {
    /// Nodes of state trees. A state of 100,000 entries is about 8 MB of nodes.
    pub nodes: u64,
    /// Rows of the auth graph.
    pub links: u64,
}

/// The state store of a database. Clones share it.
#[derive(Clone)]
pub struct StateStore {
    pub tree: Tree,
    pub chains: Chains,
    pub resolver: Resolver,
}

impl StateStore {
    /// Opens the state store; the first time it makes the database's secret.
    pub async fn open(db: &Db, random: &Random, cache: CacheBytes) -> Result<StateStore, StateError> {
        let stored = match db.snapshot().get::<StateSecret>(&()).await? {
            Some(stored) => stored,
            None => {
                let new = random.bytes::<32>();
                let mut batch = Batch::durable();
                batch.expect::<StateSecret>(&(), None);
                batch.put::<StateSecret>(&(), &new);
                db.commit(batch).await?;
                new
            }
        };
        let secret = Secret::new(&stored);
        let (tree, chains) = (Tree::new(db, &secret, cache.nodes), Chains::new(db, &secret, cache.links));
        let resolver = Resolver::new(tree.clone(), chains.clone());
        Ok(StateStore { tree, chains, resolver })
    }
}
