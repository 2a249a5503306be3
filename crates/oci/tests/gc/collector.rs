//! What a collector does.

use jeroboam_oci::gc::{
    Epoch, Facts, Issue, Lead, Mark, Marked, Next, Stage, Verdict, Warrant, judge, lead, may_act, next,
};
use jiff::Timestamp;

use crate::world::{Reading, Rule, Store, at, blob, times};

/// A process that may collect.
#[derive(Clone, Default, Hash)]
pub(crate) struct Collector {
    /// When it last said that it collects.
    pub(crate) renewed: Option<i64>,
    term: u64,
    /// How often it began anew.
    life: u8,
    at: At,
}

#[derive(Clone, Default, Hash)]
enum At {
    #[default]
    Rest,
    Mark {
        again: bool,
        began: i64,
        read: [bool; 2],
        unreferenced: bool,
    },
    Announce {
        decided: i64,
        epoch: Box<Epoch>,
        candidate: bool,
    },
    IssueWarrant(u64),
    /// It has looked for a lease, and the warrant comes only now: what [`Rule::LeaseAfterWarrant`] forbids.
    IssueLate(u64, bool),
    LookForLease(u64, Issue),
    LookAtEpoch(u64, Issue, bool),
    Judge(u64, Facts),
    Remove(u64, i64),
    Withdraw(u64),
    Close(u64),
}

impl Collector {
    /// When something was decided that takes effect within the slack.
    pub(crate) fn decided(&self) -> Option<i64> {
        match self.at {
            At::Announce { decided, .. } | At::Remove(_, decided) => Some(decided),
            _ => None,
        }
    }

    /// The repositories that a mark has yet to read.
    pub(crate) fn to_read(&self) -> Option<Vec<usize>> {
        let At::Mark { read, .. } = &self.at else { return None };
        let left: Vec<usize> = [0, 1].into_iter().filter(|repository| !read[*repository]).collect();
        (!left.is_empty()).then_some(left)
    }

    pub(crate) fn crash(&mut self) {
        *self = Self { life: self.life + 1, ..Self::default() };
    }
}

impl Store {
    fn me(&self, collector: usize) -> String {
        format!("{collector}.{}", self.collectors[collector].life)
    }

    fn may_act(&self, collector: usize) -> bool {
        self.collectors[collector].renewed.is_some_and(|renewed| may_act(at(renewed), times(), self.clock()))
    }

    /// A collector alone says all the time that it is one: that lets it do most. Of two, one may fall silent.
    pub(crate) fn may_renew(&self, collector: usize) -> bool {
        let renewed = self.collectors[collector].renewed;
        if self.collectors.len() == 1 { renewed.is_none() } else { renewed != Some(self.now) }
    }

    pub(crate) fn grow_old(&mut self, collector: usize) {
        if self.collectors.len() == 1 && self.collectors[collector].renewed.is_some() {
            self.renew(collector);
        }
        let now = self.now;
        let this = &mut self.collectors[collector];
        // Whether it fell silent three ticks ago or thirty makes no difference: fewer worlds.
        this.renewed = this.renewed.map(|renewed| renewed.max(now - 3));
        if let At::Mark { began, .. } = &mut this.at {
            *began = (*began).max(now - 20);
        }
    }

    pub(crate) fn renew(&mut self, collector: usize) {
        let me = self.me(collector);
        let decided = lead(self.leader.as_ref(), &me, times(), self.clock());
        if let Lead::Mine(leader) | Lead::Free(leader) = decided {
            let this = &mut self.collectors[collector];
            this.renewed = Some(self.now);
            this.term = leader.term;
            self.leader = Some(leader);
        }
    }

    /// Whether a collector has something to do, as far as it knows.
    pub(crate) fn may_collect(&self, collector: usize) -> bool {
        let this = &self.collectors[collector];
        match this.at {
            At::Rest => {
                let leads = self.leader.as_ref().is_some_and(|leader| leader.instance == self.me(collector));
                let ended = matches!(self.epoch.as_ref().map(|epoch| &epoch.stage), None | Some(Stage::Closed { .. }));
                let over = ended && self.announced >= self.scene.epochs;
                leads && self.may_act(collector) && !over && self.announced <= self.scene.epochs
            }
            _ => true,
        }
    }

    pub(crate) fn collect(&mut self, collector: usize) {
        let now = self.clock();
        let this = self.collectors[collector].clone();
        let next_at = match this.at {
            At::Rest => self.start(this.term),
            At::Mark { .. } if !self.may_act(collector) => At::Rest,
            At::Mark { again: false, unreferenced, .. } => self.decide(collector, unreferenced),
            At::Mark { again: true, began, unreferenced, .. } => {
                self.sweep(this.term, Marked { began: at(began), ended: now }, unreferenced)
            }
            At::Announce { epoch, candidate, .. } => {
                self.announced += 1;
                if self.announced == 1 {
                    self.end = epoch.settled().as_second() + self.scene.lazy;
                }
                self.candidates.insert(epoch.number, candidate);
                self.epoch = Some(*epoch);
                At::Rest
            }
            At::IssueWarrant(number) if self.has(Rule::LeaseAfterWarrant) => {
                At::LookForLease(number, self.issue(number, this.term))
            }
            At::IssueWarrant(number) => At::IssueLate(number, self.leases.contains(&number)),
            At::IssueLate(number, lease) => At::LookAtEpoch(number, self.issue(number, this.term), lease),
            At::LookForLease(number, issue) => At::LookAtEpoch(number, issue, self.leases.contains(&number)),
            At::LookAtEpoch(number, issue, lease) => {
                let epoch_is_ours = self.ours(number, this.term).is_some() || !self.has(Rule::LookAtEpoch);
                let renewed = this.renewed.map_or(Timestamp::MIN, at);
                At::Judge(number, Facts { issue, lease, renewed, epoch_is_ours })
            }
            At::Judge(number, facts) => {
                let clock = if self.has(Rule::LookAtClock) { now } else { facts.renewed };
                match judge(&facts, times(), clock) {
                    Verdict::Remove => At::Remove(number, self.now),
                    Verdict::Spare(_) => At::Withdraw(number),
                    Verdict::Stop(_) => At::Rest,
                }
            }
            At::Remove(number, _) => {
                self.link = [false, false];
                self.data = false;
                At::Withdraw(number)
            }
            At::Withdraw(number) => {
                if self.warrants.get(&number).is_some_and(|warrant| warrant.term == this.term) {
                    self.warrants.remove(&number);
                }
                At::Close(number)
            }
            At::Close(number) => {
                if let Some(closed) = self.ours(number, this.term).map(|epoch| epoch.close(at(0))) {
                    self.epoch = Some(closed);
                }
                At::Rest
            }
        };
        self.collectors[collector].at = next_at;
    }

    /// What the first mark found is announced. Numbers are small here, and marks forgotten that nothing depends on: fewer worlds.
    fn decide(&self, collector: usize, unreferenced: bool) -> At {
        if self.announced >= self.scene.epochs {
            return At::Rest;
        }
        let mark = Marked { began: at(0), ended: at(0) };
        let term = self.collectors[collector].term;
        let mut epoch = Epoch::publish(self.epoch.as_ref(), term, times(), self.clock(), mark);
        epoch.number = u64::from(self.announced) * 2 + collector as u64;
        At::Announce { decided: self.now, epoch: Box::new(epoch), candidate: unreferenced }
    }

    fn ours(&self, number: u64, term: u64) -> Option<&Epoch> {
        self.epoch.as_ref().filter(|epoch| epoch.number == number && epoch.term == term)
    }

    /// The first collector is one, and has an epoch to sweep that all servers know.
    pub(crate) fn is_sweeping(&mut self) {
        self.renew(0);
        let mark = Marked { began: at(0), ended: at(0) };
        let epoch = Epoch::publish(None, self.collectors[0].term, times(), at(0), mark);
        let epoch = Epoch { stage: Stage::Sweeping { again: mark, files: vec!["blob".to_owned()], done: 0 }, ..epoch };
        self.announced = 1;
        self.candidates.insert(epoch.number, true);
        for server in &mut self.servers {
            server.adoption.adopt(&epoch, vec![blob()], at(0));
        }
        self.epoch = Some(epoch);
    }

    /// While it sweeps, another collector that knows nothing of it has announced something else, of which the blob is no candidate.
    pub(crate) fn is_overtaken(&mut self, late: bool) {
        self.is_sweeping();
        let Some(swept) = self.epoch.clone() else { return };
        self.collectors[0].at = At::IssueWarrant(swept.number);
        if late {
            // It has looked at everything but the clock.
            let issue = self.issue(swept.number, swept.term);
            let facts = Facts { issue, lease: false, renewed: at(0), epoch_is_ours: true };
            self.collectors[0].at = At::Judge(swept.number, facts);
        }
        let mark = Marked { began: at(0), ended: at(0) };
        let other = Epoch::publish(Some(&swept), swept.term + 1, times(), at(0), mark);
        self.announced = 2;
        self.candidates.insert(other.number, false);
        self.epoch = Some(other);
    }

    fn start(&mut self, term: u64) -> At {
        let mut decided = next(self.epoch.as_ref(), self.clock());
        if matches!(decided, Next::Wait(_)) && !self.has(Rule::Settle) {
            decided = Next::MarkAgain;
        }
        // What the mark lists first are blobs; what refers to them is read after that.
        let unreferenced = Mark::of(self.data.then(|| (blob(), 1))).is_unreferenced(&blob());
        let mark = |again| At::Mark { again, began: self.now, read: [false, false], unreferenced };
        let marks = (mark(false), mark(true));
        if let Some(epoch) = self.epoch.as_mut().filter(|epoch| epoch.term != term && decided != Next::Mark) {
            *epoch = epoch.taken_over(term);
        }
        match decided {
            Next::Mark => marks.0,
            Next::MarkAgain if self.has(Rule::SecondMark) => marks.1,
            Next::MarkAgain => self.sweep(term, Marked { began: self.clock(), ended: self.clock() }, true),
            Next::Sweep => self.go_on(),
            Next::Wait(_) => At::Rest,
        }
    }

    /// Begins a sweep of what is a candidate and was found unreferenced again.
    fn sweep(&mut self, term: u64, again: Marked, unreferenced: bool) -> At {
        let Some(epoch) = self.epoch.clone().filter(|epoch| epoch.term == term) else { return At::Rest };
        let listed = unreferenced && self.candidates[&epoch.number];
        let files = if listed { vec!["blob".to_owned()] } else { Vec::new() };
        let swept = match epoch.sweep(again, files.clone()).map(|_| {
            let again = Marked { began: at(0), ended: at(0) };
            Epoch { stage: Stage::Sweeping { again, files: files.clone(), done: 0 }, ..epoch.clone() }
        }) {
            Err(_) if !self.has(Rule::Settle) => Epoch { stage: Stage::Sweeping { again, files, done: 0 }, ..epoch },
            Err(_) => return At::Rest,
            Ok(swept) => swept,
        };
        self.epoch = Some(Epoch { published: at(0), ..swept });
        self.go_on()
    }

    fn go_on(&self) -> At {
        let Some(epoch) = &self.epoch else { return At::Rest };
        match &epoch.stage {
            Stage::Sweeping { files, .. } if !files.is_empty() => At::IssueWarrant(epoch.number),
            _ => At::Close(epoch.number),
        }
    }

    fn issue(&mut self, number: u64, term: u64) -> Issue {
        if self.warrants.contains_key(&number) {
            return Issue::Found;
        }
        let warrant = Warrant { term, written: self.clock() };
        self.warrants.insert(number, warrant.clone());
        Issue::Ours(warrant)
    }

    pub(crate) fn read_manifests(&mut self, collector: usize, repository: usize, reading: Reading) {
        let refers = self.manifest[repository].is_some();
        let kept = self.link[repository] && self.has(Rule::KeepUnreadable);
        let At::Mark { read, unreferenced, .. } = &mut self.collectors[collector].at else { return };
        read[repository] = true;
        let mut mark = Mark::of(unreferenced.then(|| (blob(), 1)));
        match reading {
            Reading::Whole if refers => {
                mark.reference(&blob());
            }
            Reading::Failed if kept => {
                mark.keep(&blob());
            }
            Reading::Whole | Reading::Behind | Reading::Failed => {}
        }
        *unreferenced = mark.is_unreferenced(&blob());
        if reading == Reading::Failed {
            self.failures -= 1;
        }
    }
}
