//! Writers, uploads and bodies that break.

use std::mem::ManuallyDrop;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::{Faults, Operation, Verdict, broken};
use crate::{ByteStream, Object, Result, Upload, UploadState, Writer};

/// An object whose body breaks off half way.
pub(super) fn half(object: Object) -> Object {
    let mut half = object.meta.size / 2;
    let body = object.body.map(move |piece| {
        let piece = piece?;
        let fits = half.checked_sub(piece.len() as u64);
        half = fits.ok_or_else(|| broken(Operation::Read))?;
        Ok(piece)
    });
    Object { meta: object.meta, note: object.note, body: body.boxed() }
}

/// What a process that died still held is not let go in order: nobody tidies up.
struct Held<T: ?Sized> {
    inner: ManuallyDrop<Option<Box<T>>>,
    faults: Faults,
}

impl<T: ?Sized> Held<T> {
    fn new(inner: Box<T>, faults: Faults) -> Self {
        Self { inner: ManuallyDrop::new(Some(inner)), faults }
    }

    fn get(&mut self) -> Option<&mut Box<T>> {
        self.inner.as_mut()
    }

    fn take(&mut self) -> Option<Box<T>> {
        self.inner.take()
    }
}

impl<T: ?Sized> Drop for Held<T> {
    fn drop(&mut self) {
        if !self.faults.is_dead() {
            drop(self.inner.take());
        }
    }
}

pub(super) struct FaultyWriter {
    held: Held<dyn Writer>,
    faults: Faults,
    path: String,
}

impl FaultyWriter {
    pub(super) fn new(inner: Box<dyn Writer>, faults: Faults, path: &str) -> Self {
        Self { held: Held::new(inner, faults.clone()), faults, path: path.to_owned() }
    }
}

impl Writer for FaultyWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        let Some(inner) = self.held.get() else { return gone(Operation::Write) };
        self.faults.call(Operation::Write, inner.write(bytes)).boxed()
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            let (faults, path) = (self.faults.clone(), self.path.clone());
            let commit = async {
                faults.before_change(&path).await?;
                match self.held.take() {
                    Some(inner) => inner.commit().await,
                    None => Err(broken(Operation::Commit)),
                }
            };
            faults.call(Operation::Commit, commit).await
        }
        .boxed()
    }

    fn abort(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            if self.faults.verdict(Operation::Abort) != Verdict::Works {
                return;
            }
            if let Some(inner) = self.held.take() {
                inner.abort().await;
            }
        }
        .boxed()
    }
}

pub(super) struct FaultyUpload {
    held: Held<dyn Upload>,
    faults: Faults,
}

impl FaultyUpload {
    pub(super) fn new(inner: Box<dyn Upload>, faults: Faults) -> Self {
        Self { held: Held::new(inner, faults.clone()), faults }
    }
}

impl Upload for FaultyUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        let Some(inner) = self.held.get() else { return gone(Operation::UploadWrite) };
        self.faults.call(Operation::UploadWrite, inner.write(bytes)).boxed()
    }

    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>> {
        let Some(inner) = self.held.get() else { return gone(Operation::UploadSave) };
        self.faults.call(Operation::UploadSave, inner.save()).boxed()
    }

    fn stored(&mut self) -> BoxFuture<'_, Result<ByteStream>> {
        let Some(inner) = self.held.get() else { return gone(Operation::Read) };
        self.faults.call(Operation::Read, inner.stored()).boxed()
    }

    fn commit<'a>(mut self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            let faults = self.faults.clone();
            let commit = async {
                faults.before_change(path).await?;
                match self.held.take() {
                    Some(inner) => inner.commit(path).await,
                    None => Err(broken(Operation::UploadCommit)),
                }
            };
            faults.call(Operation::UploadCommit, commit).await
        }
        .boxed()
    }
}

fn gone<'a, T: Send + 'a>(operation: Operation) -> BoxFuture<'a, Result<T>> {
    async move { Err(broken(operation)) }.boxed()
}
