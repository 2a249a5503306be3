//! A store with one blob, two repositories, two processes that answer clients, and collectors; everything they decide is decided by `oci::gc`.
//!
//! One tick of the clock is a second. A request, an announcement and a removal may each take up to a tick from the look at the clock to their effect,
//! which is the slack. Everything else may come in any order, at any speed, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jeroboam_oci::gc::{Adoption, Epoch, Key, Leader, Lease, Times, Warrant};
use jiff::Timestamp;

use crate::collector::Collector;
use crate::search::World;
use crate::server::Request;

/// A rule of the protocol that a world may do without, to see what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// Who answers promises at all.
    Promise,
    /// First the promise, then the look.
    PromiseBeforeLook,
    /// A lease on a candidate is in the store before the answer leaves, and not with the next reading of the announcement.
    WriteThrough,
    /// After the lease is written, a warrant is looked for.
    LookForWarrant,
    /// The collector looks for a lease after its warrant is written, and not before.
    LeaseAfterWarrant,
    /// The second mark.
    SecondMark,
    /// The second mark begins only when no promise is left that was made without knowing the candidates.
    Settle,
    /// Whoever has not read the announcement for two intervals promises nothing.
    SelfFence,
    /// What cannot be read may refer to anything that its repository links.
    KeepUnreadable,
    /// The collector looks at the clock right before a removal.
    LookAtClock,
    /// The collector looks right before a removal whether the announcement is its own.
    LookAtEpoch,
    /// The candidates of the epoch before are promised in the store as well, for a while.
    KeepBefore,
}

/// What may happen in a world, beside what always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scene {
    /// The rules that are switched off.
    pub(crate) without: &'static [Rule],
    /// How it begins.
    pub(crate) start: Start,
    /// What clients ask for, in which repository.
    pub(crate) asks: &'static [(What, usize)],
    /// How many processes answer clients.
    pub(crate) servers: usize,
    /// How many collectors there are.
    pub(crate) collectors: usize,
    /// How many requests clients make.
    pub(crate) requests: u8,
    /// How many processes crash.
    pub(crate) crashes: u8,
    /// How many reads of a mark fail.
    pub(crate) failures: u8,
    /// So long a listing may not show what is new.
    pub(crate) lag: i64,
    /// So many announcements are made.
    pub(crate) epochs: u8,
    /// So much later than it could does a collector do something at most; after that the world ends.
    pub(crate) lazy: i64,
}

/// How a world begins. The blob is there and linked in the first repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    /// Nothing refers to the blob.
    Unreferenced,
    /// A manifest in the first repository refers to it.
    Referenced,
    /// It is about to be swept by the first collector, and all servers know that it may be.
    Sweeping,
    /// The same, but another collector has announced something else.
    Overtaken,
    /// The same, and the first collector has looked at everything but the clock.
    OvertakenLate,
}

#[derive(Clone, Hash)]
pub(crate) struct Store {
    pub(crate) scene: Scene,
    pub(crate) now: i64,
    pub(crate) end: i64,
    pub(crate) announced: u8,
    pub(crate) requests: u8,
    pub(crate) crashes: u8,
    pub(crate) failures: u8,
    /// The bytes of the blob.
    pub(crate) data: bool,
    /// Its link in each repository.
    pub(crate) link: [bool; 2],
    /// When a manifest that refers to it was put into each repository.
    pub(crate) manifest: [Option<i64>; 2],
    pub(crate) leases: BTreeSet<u64>,
    pub(crate) warrants: BTreeMap<u64, Warrant>,
    pub(crate) epoch: Option<Epoch>,
    /// Whether the blob is a candidate, by epoch.
    pub(crate) candidates: BTreeMap<u64, bool>,
    pub(crate) leader: Option<Leader>,
    pub(crate) servers: Vec<Server>,
    pub(crate) collectors: Vec<Collector>,
    /// Until when a client may rely on an answer, by repository.
    pub(crate) relied: [Option<i64>; 2],
}

/// A process that answers clients.
#[derive(Clone, Hash)]
pub(crate) struct Server {
    pub(crate) adoption: Adoption,
    pub(crate) lease: Option<Lease>,
    pub(crate) request: Option<Request>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Head,
    Upload,
    Mount,
    PutManifest,
}

/// What a mark finds in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All that is there.
    Whole,
    /// All but what is newer than a listing shows.
    Behind,
    /// It cannot be read.
    Failed,
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Tick,
    /// A server reads the announcement.
    Read(usize),
    /// A client asks a server for something in a repository.
    Ask(usize, What, usize),
    /// A server takes the next step of its request.
    Serve(usize),
    /// A client goes away, or is told to come back later.
    GiveUp(usize),
    /// A client deletes the manifest of a repository.
    Delete(usize),
    /// A server ends without a word, and begins anew.
    CrashServer(usize),
    /// A collector ends without a word, and begins anew.
    CrashCollector(usize),
    /// A collector says that it is one.
    Renew(usize),
    /// A collector takes its next step.
    Collect(usize),
    /// A collector reads the manifests of a repository.
    ReadManifests(usize, usize, Reading),
}

/// How long a promise holds, and how long something takes.
pub(crate) const GRACE: i64 = 4;
const FENCE: i64 = 2;
/// When what is there from the beginning was made.
const OLD: i64 = -1000;
pub(crate) const SLACK: i64 = 1;

pub(crate) fn times() -> Times {
    let s = Duration::from_secs;
    Times::new(s(4), s(1), s(1)).expect("a quarter of the grace time")
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a small number")
}

pub(crate) fn blob() -> Key {
    Key::from([7; 32])
}

impl Store {
    /// The world as a scene begins.
    pub(crate) fn begin(scene: Scene) -> Self {
        let mut adoption = Adoption::new(times());
        adoption.nothing_new(at(0));
        let server = Server { adoption, lease: None, request: None };
        let mut store = Self {
            scene,
            now: 0,
            end: scene.lazy,
            announced: 0,
            requests: scene.requests,
            crashes: scene.crashes,
            failures: scene.failures,
            data: true,
            link: [true, false],
            manifest: [(scene.start == Start::Referenced).then_some(OLD), None],
            leases: BTreeSet::new(),
            warrants: BTreeMap::new(),
            epoch: None,
            candidates: BTreeMap::new(),
            leader: None,
            servers: vec![server; scene.servers],
            collectors: vec![Collector::default(); scene.collectors],
            relied: [None, None],
        };
        match scene.start {
            Start::Unreferenced | Start::Referenced => {}
            Start::Sweeping => store.is_sweeping(),
            Start::Overtaken => store.is_overtaken(false),
            Start::OvertakenLate => store.is_overtaken(true),
        }
        store
    }

    pub(crate) fn has(&self, rule: Rule) -> bool {
        !self.scene.without.contains(&rule)
    }

    pub(crate) fn clock(&self) -> Timestamp {
        at(self.now)
    }

    fn tick(&mut self) {
        self.now += 1;
        for relied in &mut self.relied {
            *relied = relied.filter(|until| *until >= self.now);
        }
        for server in &mut self.servers {
            server.lease = server.lease.filter(|lease| lease.until >= at(self.now));
            if self.epoch.as_ref().is_none_or(|epoch| !server.adoption.misses(epoch)) {
                // Reading what is known changes nothing but that more may be promised: no world is lost if it always happens.
                server.adoption.nothing_new(at(self.now));
            } else if server.adoption.read().is_some_and(|read| read < at(self.now - FENCE - 1)) {
                // Whether it is out of touch for one tick or for ten makes no difference: fewer worlds.
                server.adoption.nothing_new(at(self.now - FENCE - 1));
            }
        }
        for put in self.manifest.iter_mut().flatten() {
            *put = if self.now - *put > self.scene.lag { OLD } else { *put };
        }
        for collector in 0..self.collectors.len() {
            self.grow_old(collector);
        }
    }

    /// Nothing that has been begun takes longer than the slack.
    fn may_tick(&self) -> bool {
        let requests = self.servers.iter().filter_map(|server| server.request.as_ref().map(|request| request.began));
        let collectors = self.collectors.iter().filter_map(Collector::decided);
        self.now < self.end && requests.chain(collectors).all(|began| self.now - began < SLACK)
    }

    /// Servers have no names: two worlds in which they are exchanged are the same.
    fn sort(&mut self) {
        let hash = |server: &Server| {
            let mut hasher = DefaultHasher::new();
            server.hash(&mut hasher);
            hasher.finish()
        };
        self.servers.sort_by_cached_key(hash);
    }

    fn of_servers(&self, events: &mut Vec<Event>) {
        for (id, server) in self.servers.iter().enumerate() {
            if server.adoption.read() != Some(self.clock())
                || self.epoch.as_ref().is_some_and(|e| server.adoption.misses(e))
            {
                events.push(Event::Read(id));
            }
            if self.crashes > 0 {
                events.push(Event::CrashServer(id));
            }
            if server.request.is_some() {
                events.extend([Event::Serve(id), Event::GiveUp(id)]);
            } else if self.requests > 0 {
                let honest = |(what, repository): &&(What, usize)| {
                    *what != What::PutManifest || self.relied[*repository].is_some()
                };
                let asks = self.scene.asks.iter().filter(honest);
                events.extend(asks.map(|(what, repository)| Event::Ask(id, *what, *repository)));
            }
        }
    }

    fn of_collectors(&self, events: &mut Vec<Event>) {
        for (id, collector) in self.collectors.iter().enumerate() {
            if self.may_renew(id) {
                events.push(Event::Renew(id));
            }
            if self.crashes > 0 {
                events.push(Event::CrashCollector(id));
            }
            match collector.to_read() {
                None => events.extend(self.may_collect(id).then_some(Event::Collect(id))),
                Some(repositories) => {
                    // In any order; of two collectors in one order, to have fewer worlds.
                    let orders = if self.collectors.len() > 1 { 1 } else { 2 };
                    for repository in repositories.into_iter().take(orders) {
                        events.push(Event::ReadManifests(id, repository, Reading::Whole));
                        if self.manifest[repository].is_some_and(|put| self.now - put <= self.scene.lag) {
                            events.push(Event::ReadManifests(id, repository, Reading::Behind));
                        }
                        if self.failures > 0 {
                            events.push(Event::ReadManifests(id, repository, Reading::Failed));
                        }
                    }
                }
            }
        }
    }
}

impl World for Store {
    type Event = Event;

    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.may_tick() {
            events.push(Event::Tick);
        }
        self.of_servers(&mut events);
        self.of_collectors(&mut events);
        for repository in [0, 1] {
            if self.requests > 0 && self.manifest[repository].is_some() {
                events.push(Event::Delete(repository));
            }
        }
        events
    }

    fn after(&self, event: Event) -> Self {
        let mut next = self.clone();
        match event {
            Event::Tick => next.tick(),
            Event::Read(server) => next.read(server),
            Event::Ask(server, what, repository) => next.ask(server, what, repository),
            Event::Serve(server) => next.serve(server),
            Event::GiveUp(server) => next.servers[server].request = None,
            Event::Delete(repository) => {
                next.requests -= 1;
                next.manifest[repository] = None;
            }
            Event::CrashServer(server) => {
                next.crashes -= 1;
                next.servers[server] = Server { adoption: Adoption::new(times()), lease: None, request: None };
            }
            Event::CrashCollector(collector) => {
                next.crashes -= 1;
                next.collectors[collector].crash();
            }
            Event::Renew(collector) => next.renew(collector),
            Event::Collect(collector) => next.collect(collector),
            Event::ReadManifests(collector, repository, reading) => {
                next.read_manifests(collector, repository, reading);
            }
        }
        next.sort();
        next
    }

    fn wrong(&self) -> Option<String> {
        for repository in [0, 1] {
            let there = self.data && self.link[repository];
            if self.manifest[repository].is_some() && !there {
                return Some(format!("the manifest of repository {repository} refers to a blob that is gone"));
            }
            if self.relied[repository].is_some() && !there {
                return Some(format!("the blob is gone from repository {repository} although a client relies on it"));
            }
        }
        None
    }
}
