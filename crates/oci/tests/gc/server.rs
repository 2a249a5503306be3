//! What a process does that answers clients.

use jeroboam_oci::gc::{Adoption, Lease, Passage, Promise};

use crate::world::{GRACE, Rule, Store, What, blob, times};

/// What a server is busy with.
#[derive(Clone, Hash)]
pub(crate) struct Request {
    what: What,
    repository: usize,
    pub(crate) began: i64,
    step: Step,
}

#[derive(Clone, Hash)]
enum Step {
    WriteLease(Vec<u64>, Lease),
    LookForWarrant(Vec<u64>, Lease),
    Look,
    /// It has looked, and the promise comes only now: what [`Rule::PromiseBeforeLook`] forbids.
    Promise,
    Link,
    Manifest,
}

impl Store {
    pub(crate) fn read(&mut self, server: usize) {
        let now = self.clock();
        let keeps_before = self.has(Rule::KeepBefore);
        let this = &mut self.servers[server];
        if let Some(epoch) = self.epoch.as_ref().filter(|epoch| this.adoption.misses(epoch)) {
            if !keeps_before {
                this.adoption = Adoption::new(times());
            }
            let candidates = if self.candidates[&epoch.number] { vec![blob()] } else { Vec::new() };
            this.adoption.adopt(epoch, candidates, now);
        } else {
            this.adoption.nothing_new(now);
        }
        if !self.has(Rule::WriteThrough) && self.servers[server].lease.is_some() {
            self.leases.extend(self.servers[server].adoption.number());
        }
    }

    pub(crate) fn ask(&mut self, server: usize, what: What, repository: usize) {
        self.requests -= 1;
        self.servers[server].request = Some(Request { what, repository, began: self.now, step: Step::Look });
        if self.has(Rule::PromiseBeforeLook) {
            self.promise(server);
        }
    }

    pub(crate) fn serve(&mut self, server: usize) {
        let Some(request) = self.servers[server].request.clone() else { return };
        match &request.step {
            Step::WriteLease(epochs, lease) => {
                self.leases.extend(epochs);
                self.go_to(server, Step::LookForWarrant(epochs.clone(), *lease));
            }
            Step::LookForWarrant(epochs, lease) => {
                let adoption = &self.servers[server].adoption;
                let passes = |epoch| adoption.passage(self.warrants.get(epoch), self.clock()) == Passage::Go;
                if epochs.iter().all(passes) || !self.has(Rule::LookForWarrant) {
                    self.servers[server].lease = Some(*lease);
                    self.promised(server, &request);
                }
            }
            Step::Look => self.look(server, &request),
            Step::Promise => self.promise(server),
            Step::Link => {
                self.link[request.repository] = true;
                self.answer(server, &request);
            }
            Step::Manifest => {
                self.manifest[request.repository] = Some(self.now);
                self.answer(server, &request);
            }
        }
    }

    fn promise(&mut self, server: usize) {
        let Some(request) = self.servers[server].request.clone() else { return };
        if !self.has(Rule::Promise) {
            self.promised(server, &request);
            return;
        }
        let adoption = &self.servers[server].adoption;
        let lease = self.servers[server].lease;
        let mut promise = adoption.promise(&blob(), lease, self.clock());
        if promise == Promise::OutOfTouch && !self.has(Rule::SelfFence) {
            // As if it had just read what it knows.
            let mut believing = adoption.clone();
            believing.nothing_new(self.clock());
            promise = believing.promise(&blob(), lease, self.clock());
        }
        match promise {
            Promise::OutOfTouch => self.servers[server].request = None,
            Promise::Write { epochs, lease } if self.has(Rule::WriteThrough) => {
                self.go_to(server, Step::WriteLease(epochs, lease));
            }
            Promise::Made { lease, .. } | Promise::Write { lease, .. } => {
                self.servers[server].lease = Some(lease);
                self.promised(server, &request);
            }
        }
    }

    fn promised(&mut self, server: usize, request: &Request) {
        if self.has(Rule::PromiseBeforeLook) { self.go_to(server, Step::Look) } else { self.effect(server, request) }
    }

    fn look(&mut self, server: usize, request: &Request) {
        let found = match request.what {
            What::Upload => true,
            What::Head | What::PutManifest => self.data && self.link[request.repository],
            What::Mount => self.data && self.link[1 - request.repository],
        };
        if !found {
            self.servers[server].request = None;
        } else if self.has(Rule::PromiseBeforeLook) {
            self.effect(server, request);
        } else {
            self.go_to(server, Step::Promise);
        }
    }

    fn effect(&mut self, server: usize, request: &Request) {
        match request.what {
            What::Head => self.answer(server, request),
            What::Upload => {
                self.data = true;
                self.go_to(server, Step::Link);
            }
            What::Mount => self.go_to(server, Step::Link),
            What::PutManifest => self.go_to(server, Step::Manifest),
        }
    }

    fn answer(&mut self, server: usize, request: &Request) {
        self.relied[request.repository] = Some(self.now + GRACE);
        self.servers[server].request = None;
    }

    fn go_to(&mut self, server: usize, step: Step) {
        if let Some(request) = &mut self.servers[server].request {
            request.step = step;
        }
    }
}
