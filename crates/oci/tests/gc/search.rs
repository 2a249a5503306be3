//! A breadth-first search of everything that may happen in a small world.
//!
//! Ours, and not a crate for it: what is needed is one queue and one map, and what shows a race has to be short enough to be read.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A world in which things happen one after the other.
pub(crate) trait World: Clone + Hash {
    /// Something that may happen.
    type Event: Copy + fmt::Debug;

    /// All that may happen now.
    fn events(&self) -> Vec<Self::Event>;

    /// The world after it happened.
    fn after(&self, event: Self::Event) -> Self;

    /// What is wrong in this world that must never be.
    fn wrong(&self) -> Option<String>;
}

/// What a search found.
pub(crate) enum Found<E> {
    /// Nothing is ever wrong; so many worlds were seen.
    Nothing(usize),
    /// A shortest way to something wrong.
    Wrong {
        /// What is wrong.
        what: String,
        /// What happens, in order.
        way: Vec<E>,
    },
}

/// Looks at every world that `start` may turn into. Worlds are told apart by 64 bits of hash: of ten million, two look alike by chance once in four
/// hundred thousand searches. More than `most` worlds are a mistake in the world, not a result.
pub(crate) fn search<W: World>(start: W, most: usize) -> Found<W::Event> {
    let mut seen: HashMap<u64, Option<(u64, W::Event)>> = HashMap::new();
    let mut queue = VecDeque::new();
    let first = fingerprint(&start);
    seen.insert(first, None);
    queue.push_back((first, start));
    while let Some((print, world)) = queue.pop_front() {
        if let Some(what) = world.wrong() {
            return Found::Wrong { what, way: way_to(&seen, print) };
        }
        for event in world.events() {
            let next = world.after(event);
            let next_print = fingerprint(&next);
            if let Entry::Vacant(vacant) = seen.entry(next_print) {
                vacant.insert(Some((print, event)));
                queue.push_back((next_print, next));
            }
        }
        assert!(seen.len() <= most, "the world has more than {most} states");
    }
    Found::Nothing(seen.len())
}

fn fingerprint(world: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn way_to<E: Copy>(seen: &HashMap<u64, Option<(u64, E)>>, mut print: u64) -> Vec<E> {
    let mut way = Vec::new();
    while let Some((before, event)) = seen[&print] {
        way.push(event);
        print = before;
    }
    way.reverse();
    way
}
