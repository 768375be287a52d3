//! What the scenarios run on: the server under test, and accounts and rooms that are made when first asked for.
//!
//! Scenarios that need the same thing share it (the room of 2,000 members takes minutes to fill on some servers), and
//! everything is named after the run, so that a run can be repeated against a server that keeps its data.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::json;

use crate::client::{Account, Registration, Room, Session, register};
use crate::http::{Connection, Failure, Target};
use crate::load::for_each;
use crate::measure::Meter;
use crate::progress::Progress;
use crate::server::{Launcher, Running, ServerError};

/// As many requests as are open at once during set-up.
const SETUP_CONCURRENCY: usize = 8;

/// Why a scenario ended without figures.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error(transparent)]
    Request(#[from] Failure),
    #[error(transparent)]
    Server(#[from] ServerError),
    /// It cannot be run here, and why.
    #[error("{0}")]
    NotHere(&'static str),
}

/// A server that this generator starts and stops.
#[derive(Debug)]
pub struct Managed {
    pub launcher: Launcher,
    pub running: Option<Running>,
    /// How long the first start, on an empty folder, took.
    pub first_start: std::time::Duration,
}

/// The server under test, and what was made on it so far.
#[derive(Debug)]
pub struct World {
    pub target: Target,
    pub registration: Registration,
    pub managed: Option<Managed>,
    pub meter: Meter,
    pub progress: Progress,
    /// Multiplies all sizes and durations.
    pub scale: f64,
    /// Part of each name that the run makes.
    pub run_id: String,
    /// How many accounts of the large room have devices with keys, and how many of these keys were claimed.
    pub with_keys: usize,
    pub claimed: usize,
    groups: BTreeMap<&'static str, Vec<Rc<Account>>>,
    rooms: BTreeMap<&'static str, GrownRoom>,
}

/// A public room and its members: the accounts of the group of the same name, in order; the first is its creator.
#[derive(Clone, Debug)]
pub struct GrownRoom {
    pub room: Room,
    pub members: usize,
}

impl World {
    pub fn new(target: Target, registration: Registration, scale: f64, run_id: String) -> Self {
        Self {
            target,
            registration,
            managed: None,
            meter: Meter::default(),
            progress: Progress::new(),
            scale,
            run_id,
            with_keys: 0,
            claimed: 0,
            groups: BTreeMap::new(),
            rooms: BTreeMap::new(),
        }
    }

    /// A size at the scale of the run, at least `least`.
    pub fn scaled(&self, size: usize, least: usize) -> usize {
        ((size as f64 * self.scale).round() as usize).max(least)
    }

    /// Seconds at the scale of the run, at least one.
    pub fn seconds(&self, seconds: f64) -> f64 {
        (seconds * self.scale).max(1.0)
    }

    /// The first `count` accounts of a group, registered where they are missing.
    pub async fn accounts(
        &mut self,
        group: &'static str,
        count: usize,
    ) -> Result<Vec<Rc<Account>>, ScenarioError> {
        let existing = self.groups.get(group).map_or(0, Vec::len);
        if existing < count {
            let mut connections: Vec<_> =
                (0..SETUP_CONCURRENCY).map(|_| Connection::new(&self.target)).collect();
            let (registration, run) = (&self.registration, &self.run_id);
            let made = for_each(&self.progress, &mut connections, existing..count, async |connection, n| {
                register(connection, registration, &format!("{run}-{group}-{n}")).await.map(Rc::new)
            });
            let made = made.await?;
            self.groups.entry(group).or_default().extend(made);
        }
        Ok(self.groups.get(group).map(|accounts| accounts[..count].to_vec()).unwrap_or_default())
    }

    /// The first `count` accounts of a group, each with a connection of its own.
    pub async fn sessions(
        &mut self,
        group: &'static str,
        count: usize,
    ) -> Result<Vec<Session>, ScenarioError> {
        let accounts = self.accounts(group, count).await?;
        Ok(accounts.into_iter().map(|account| Session::new(&self.target, account)).collect())
    }

    /// A room that all accounts of `group` below `members` have joined, with the name of the group. It grows and never shrinks.
    pub async fn room_of(&mut self, group: &'static str, members: usize) -> Result<GrownRoom, ScenarioError> {
        self.room_made_from(&public_room(group), group, members).await
    }

    /// The same without a name: clients call it by its members.
    pub async fn nameless_room_of(
        &mut self,
        group: &'static str,
        members: usize,
    ) -> Result<GrownRoom, ScenarioError> {
        self.room_made_from(&json!({"preset": "public_chat"}), group, members).await
    }

    async fn room_made_from(
        &mut self,
        body: &serde_json::Value,
        group: &'static str,
        members: usize,
    ) -> Result<GrownRoom, ScenarioError> {
        let accounts = self.accounts(group, members).await?;
        if !self.rooms.contains_key(group) {
            let mut creator = self.sessions(group, 1).await?.remove(0);
            let room = creator.create_room(body).await?;
            self.rooms.insert(group, GrownRoom { room, members: 1 });
        }
        let mut grown = self.rooms[group].clone();
        if grown.members < members {
            let mut workers = vec![(); SETUP_CONCURRENCY];
            let (target, room) = (&self.target, &grown.room);
            let joiners = accounts[grown.members..].iter();
            for_each(&self.progress, &mut workers, joiners, async |(), account| {
                Session::new(target, Rc::clone(account)).join(room).await
            })
            .await?;
            grown.members = members;
            self.grew(group, members);
        }
        Ok(grown)
    }

    /// Notes that a scenario let members join by itself.
    pub fn grew(&mut self, group: &'static str, members: usize) {
        if let Some(grown) = self.rooms.get_mut(group) {
            grown.members = grown.members.max(members);
        }
    }

    /// Ends the server with SIGTERM and starts it again. Gives the time from start to the first answer.
    pub async fn restart(&mut self) -> Result<std::time::Duration, ScenarioError> {
        let managed = self.managed.as_mut().ok_or(ScenarioError::NotHere("needs --launcher"))?;
        if let Some(running) = managed.running.take() {
            running.stop().await?;
        }
        let (running, took) = managed.launcher.start().await?;
        self.meter.processes = managed.launcher.processes(&running)?;
        managed.running = Some(running);
        Ok(took)
    }
}

/// A `createRoom` body for a room that anybody may join.
pub fn public_room(name: &str) -> serde_json::Value {
    json!({"preset": "public_chat", "name": name})
}
