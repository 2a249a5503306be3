//! Questions that come while one like them is with the database wait until it is answered, and are then asked in one statement.
//!
//! A statement answers those alone who came before it began, so nobody is told what was true before they asked. Where many look at
//! the same moment the database is asked no more often than it can answer, on one connection; whoever looks alone waits for nobody.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::DbErr;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::StoreError;

/// How many one statement asks for.
const MOST: usize = 64;

/// Who waits, by what makes their questions alike. Where there is a line, somebody asks.
pub(crate) struct Together<K, Q, A> {
    lines: Lines<K, Q, A>,
}

type Lines<K, Q, A> = Arc<Mutex<HashMap<K, Vec<Waiting<Q, A>>>>>;

struct Waiting<Q, A> {
    question: Q,
    answer: oneshot::Sender<A>,
}

/// Answers all that it is asked, in that order.
type Ask<Q, A> = Arc<dyn Fn(Vec<Q>) -> Answers<A> + Send + Sync>;
type Answers<A> = Pin<Box<dyn Future<Output = Result<Vec<A>, StoreError>> + Send>>;

impl<K, Q, A> Together<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Clone + Send + 'static,
    A: Send + 'static,
{
    pub(crate) fn new() -> Self {
        Self { lines: Arc::default() }
    }

    /// The answer to one question. `ask` answers all that it is given, in that order.
    pub(crate) async fn ask<R>(
        &self,
        alike: K,
        question: Q,
        ask: impl Fn(Vec<Q>) -> R + Send + Sync + 'static,
    ) -> Result<A, StoreError>
    where
        R: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        let ask: Ask<Q, A> = Arc::new(move |questions| Box::pin(ask(questions)));
        let turn = match self.line_up(&alike, &question) {
            None => Some(Turn { lines: Arc::clone(&self.lines), alike, ask: Arc::clone(&ask) }),
            Some(answer) => match answer.await {
                Ok(answer) => return Ok(answer),
                // It failed for all of them: each finds out alone why.
                Err(_) => None,
            },
        };
        let answers = ask(vec![question]).await;
        drop(turn);
        answers?
            .pop()
            .ok_or_else(|| StoreError::Other(DbErr::Custom("a question was left without an answer".to_owned())))
    }

    /// Where somebody asks already: what will be told to those who wait.
    fn line_up(&self, alike: &K, question: &Q) -> Option<oneshot::Receiver<A>> {
        let mut lines = lock(&self.lines);
        if let Some(line) = lines.get_mut(alike) {
            let (answer, told) = oneshot::channel();
            line.push(Waiting { question: question.clone(), answer });
            return Some(told);
        }
        lines.insert(alike.clone(), Vec::new());
        None
    }
}

/// Held by who asks. Where it ends, in whatever way, those who wait are next.
struct Turn<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    lines: Lines<K, Q, A>,
    alike: K,
    ask: Ask<Q, A>,
}

impl<K, Q, A> Turn<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    async fn answer(self, batch: Vec<Waiting<Q, A>>) {
        let (questions, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.question, one.answer)).unzip();
        if let Ok(answers) = (self.ask)(questions).await {
            for (answer, waiting) in answers.into_iter().zip(waiting) {
                // Who has gone meanwhile needs none.
                let _ = waiting.send(answer);
            }
        }
    }
}

impl<K, Q, A> Drop for Turn<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    fn drop(&mut self) {
        let batch: Vec<_> = {
            let mut lines = lock(&self.lines);
            let Some(line) = lines.get_mut(&self.alike) else { return };
            line.retain(|one| !one.answer.is_closed());
            if line.is_empty() {
                lines.remove(&self.alike);
                return;
            }
            line.drain(..line.len().min(MOST)).collect()
        };
        let next = Self { lines: Arc::clone(&self.lines), alike: self.alike.clone(), ask: Arc::clone(&self.ask) };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(next.answer(batch))),
            // The process ends. Those in line go with it.
            Err(_) => drop(lock(&self.lines).remove(&self.alike)),
        }
    }
}

fn lock<T>(lines: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here can panic half way.
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// Answers with the double, or not at all what is 13. Each statement waits for a permit and is noted.
    struct Database {
        open: Semaphore,
        asked: Mutex<Vec<Vec<u32>>>,
        begun: AtomicUsize,
    }

    impl Database {
        async fn answer(&self, questions: Vec<u32>) -> Result<Vec<u32>, StoreError> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.open.acquire().await.expect("it is never closed").forget();
            lock(&self.asked).push(questions.clone());
            if questions.contains(&13) {
                return Err(StoreError::Ambiguous { what: "number" });
            }
            Ok(questions.into_iter().map(|question| 2 * question).collect())
        }
    }

    struct Bed {
        database: Arc<Database>,
        together: Arc<Together<&'static str, u32, u32>>,
        tasks: TaskTracker,
    }

    type Answer = tokio::task::JoinHandle<Result<u32, StoreError>>;

    impl Bed {
        fn new() -> Self {
            let (asked, begun) = (Mutex::default(), AtomicUsize::new(0));
            let database = Arc::new(Database { open: Semaphore::new(0), asked, begun });
            Self { database, together: Arc::new(Together::new()), tasks: TaskTracker::new() }
        }

        /// One who asks, and has got as far as it gets.
        async fn ask(&self, alike: &'static str, question: u32) -> Answer {
            let (database, together) = (Arc::clone(&self.database), Arc::clone(&self.together));
            let ask = move |questions| {
                let database = Arc::clone(&database);
                async move { database.answer(questions).await }
            };
            let answer = self.tasks.spawn(async move { together.ask(alike, question, ask).await });
            self.settle().await;
            answer
        }

        /// Lets so many statements go on.
        async fn go_on(&self, statements: usize) {
            self.database.open.add_permits(statements);
            self.settle().await;
        }

        /// There is one thread: who can run has run after this.
        async fn settle(&self) {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }

        fn asked(&self) -> Vec<Vec<u32>> {
            lock(&self.database.asked).clone()
        }

        /// Nothing is left of any line.
        fn is_empty(&self) -> bool {
            lock(&self.together.lines).is_empty()
        }
    }

    async fn told(answer: Answer) -> Option<u32> {
        answer.await.expect("nothing panics").ok()
    }

    #[tokio::test]
    async fn who_comes_meanwhile_is_answered_by_the_next_statement() {
        let bed = Bed::new();
        let first = bed.ask("a", 1).await;
        let (second, third) = (bed.ask("a", 2).await, bed.ask("a", 3).await);
        let elsewhere = bed.ask("b", 4).await;
        assert_eq!(bed.database.begun.load(Ordering::SeqCst), 2, "what is not alike waits for nothing");
        bed.go_on(2).await;
        assert_eq!(bed.asked(), [vec![1], vec![4]]);
        assert_eq!(bed.database.begun.load(Ordering::SeqCst), 3, "one statement for both who waited");
        // Who comes while it runs is not told what it says.
        let fourth = bed.ask("a", 5).await;
        bed.go_on(2).await;
        assert_eq!(bed.asked()[2..], [vec![2, 3], vec![5]]);
        let all = [told(first).await, told(second).await, told(third).await, told(fourth).await, told(elsewhere).await];
        assert_eq!(all, [Some(2), Some(4), Some(6), Some(10), Some(8)]);
        assert!(bed.is_empty());
    }

    #[tokio::test]
    async fn who_goes_leaves_nobody_waiting() {
        let bed = Bed::new();
        let (first, gone, last) = (bed.ask("a", 1).await, bed.ask("a", 2).await, bed.ask("a", 3).await);
        gone.abort();
        bed.settle().await;
        first.abort();
        bed.settle().await;
        bed.go_on(1).await;
        assert_eq!(bed.asked(), [vec![3]], "nothing is asked for who has gone");
        assert_eq!(told(last).await, Some(6));
        assert!(bed.is_empty());
    }

    #[tokio::test]
    async fn where_it_fails_for_all_each_asks_alone() {
        let bed = Bed::new();
        let (first, second, third) = (bed.ask("a", 13).await, bed.ask("a", 13).await, bed.ask("a", 3).await);
        bed.go_on(4).await;
        assert_eq!(bed.asked(), [vec![13], vec![13, 3], vec![13], vec![3]]);
        assert_eq!([told(first).await, told(second).await, told(third).await], [None, None, Some(6)]);
        assert!(bed.is_empty());
    }

    #[tokio::test]
    async fn a_statement_asks_for_no_more_than_it_may() {
        let bed = Bed::new();
        let mut all = vec![bed.ask("a", 100).await];
        for question in 101..=200 {
            all.push(bed.ask("a", question).await);
        }
        bed.go_on(3).await;
        assert_eq!(bed.asked().iter().map(Vec::len).collect::<Vec<_>>(), [1, MOST, 100 - MOST]);
        for (question, answer) in (100..).zip(all) {
            assert_eq!(told(answer).await, Some(2 * question));
        }
    }
}
