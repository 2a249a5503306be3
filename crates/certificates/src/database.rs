//! Rows of Magnum's `x509keypair`. They are written and removed in the transactions that write and remove their cluster.

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use jeroboam_model::{CertificateRef, KeyPairId};
use jeroboam_store::{KeyPair, Store};

use crate::{Certificate, Error, Kept, NewCertificate, Place};

pub(crate) struct Database(pub(crate) Store);

impl Place for Database {
    fn keep(&self, new: NewCertificate) -> BoxFuture<'_, Result<Kept, Error>> {
        let id = KeyPairId::random();
        let row = KeyPair {
            id,
            certificate: new.certificate,
            private_key: new.private_key,
            passphrase: new.passphrase,
            intermediates: None,
            project: new.project,
            user: new.user,
        };
        ready(Ok(Kept { reference: id.into(), row: Some(row) })).boxed()
    }

    fn read<'a>(&'a self, reference: &'a CertificateRef) -> BoxFuture<'a, Result<Option<Certificate>, Error>> {
        async move {
            let Some(id) = reference.key_pair() else { return Ok(None) };
            let row = self.0.keypair(id).await.map_err(Error::Store)?;
            Ok(row.map(|row| Certificate {
                certificate: row.certificate,
                private_key: row.private_key,
                passphrase: row.passphrase,
            }))
        }
        .boxed()
    }

    fn discard<'a>(&'a self, _: &'a CertificateRef) -> BoxFuture<'a, Result<(), Error>> {
        ready(Ok(())).boxed()
    }
}
