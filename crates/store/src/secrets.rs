//! What nobody may read: secrets of clusters, certificates, and application credentials that no cluster owns yet.

use jeroboam_model::{ClusterId, KeyPairId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use secrecy::SecretString;

use crate::entity::{credential, secret, x509keypair};
use crate::rows::{from_millis, millis};
use crate::seal::Sealer;
use crate::store::Then;
use crate::{KeyPair, PendingCredential, Store, StoreError};

/// When a credential was noted that is being revoked: no cluster may take it over any more.
const CONDEMNED: i64 = 0;

impl Store {
    /// A certificate with its private key.
    pub async fn keypair(&self, id: KeyPairId) -> Result<Option<KeyPair>, StoreError> {
        let row = x509keypair::Entity::find()
            .filter(x509keypair::Column::Uuid.eq(id.to_string()))
            .one(&self.reader())
            .await?;
        row.map(KeyPair::try_from).transpose()
    }

    /// A secret of a cluster.
    pub async fn secret(&self, cluster: ClusterId, name: &str) -> Result<Option<SecretString>, StoreError> {
        let row = secret::Entity::find_by_id((cluster.to_string(), name.to_owned())).one(&self.reader()).await?;
        row.map(|row| self.sealer()?.open(&place(cluster, name), &row.sealed)).transpose()
    }

    /// Notes an application credential before it is made.
    pub async fn note_credential(&self, pending: &PendingCredential) -> Result<(), StoreError> {
        self.write("note credential", |tx| async move {
            self.insert_pending(&*tx, pending).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    /// Notes id and secret of an application credential that was made. `false`: it took so long that the note was
    /// [condemned](Self::condemn_credential), and nothing is written.
    pub async fn complete_credential(&self, pending: &PendingCredential) -> Result<bool, StoreError> {
        use credential::{ActiveModel, Entity};
        let place = place(pending.cluster, &pending.name);
        let sealed = pending.secret.as_ref().map(|text| self.sealer()?.seal(&place, text)).transpose()?;
        let row = ActiveModel { credential: Set(pending.id.clone()), sealed: Set(sealed), ..Default::default() };
        let row = &row;
        self.write("complete credential", |tx| async move {
            let update = Entity::update_many().set(row.clone()).filter(still_wanted(&pending.name)).exec(&*tx).await?;
            Ok(if update.rows_affected == 1 { Then::Commit(true) } else { Then::Undo(false) })
        })
        .await
    }

    /// Marks the note of a credential that is about to be revoked: from now on no cluster can take it over. `false`: one has, or
    /// it is forgotten.
    pub async fn condemn_credential(&self, name: &str) -> Result<bool, StoreError> {
        use credential::{Column, Entity};
        self.write("condemn credential", |tx| async move {
            let mark = Entity::update_many().col_expr(Column::Noted, Expr::value(CONDEMNED));
            let marked = mark.filter(Column::Name.eq(name)).exec(&*tx).await?.rows_affected == 1;
            Ok(if marked { Then::Commit(true) } else { Then::Undo(false) })
        })
        .await
    }

    async fn insert_pending<C: ConnectionTrait>(&self, tx: &C, pending: &PendingCredential) -> Result<(), StoreError> {
        use credential::{ActiveModel, Column, Entity};
        let place = place(pending.cluster, &pending.name);
        let sealed = pending.secret.as_ref().map(|text| self.sealer()?.seal(&place, text)).transpose()?;
        let row = ActiveModel {
            name: Set(pending.name.clone()),
            cluster: Set(pending.cluster.to_string()),
            project: Set(pending.project.to_string()),
            user_id: Set(pending.user.to_string()),
            credential: Set(pending.id.clone()),
            sealed: Set(sealed),
            noted: Set(millis(pending.noted)),
        };
        let again = OnConflict::column(Column::Name).update_columns([Column::Credential, Column::Sealed]).to_owned();
        Entity::insert(row).on_conflict(again).exec_without_returning(tx).await?;
        Ok(())
    }

    /// Strikes out the note of a credential that a cluster takes over, and notes the one that it gives up. `false`: the
    /// credential is being revoked, or is no more.
    pub(crate) async fn swap_credential<C: ConnectionTrait>(
        &self,
        tx: &C,
        taken: Option<&str>,
        given_up: Option<&PendingCredential>,
    ) -> Result<bool, StoreError> {
        if let Some(name) = taken
            && !take_credential(tx, name).await?
        {
            return Ok(false);
        }
        if let Some(pending) = given_up {
            self.insert_pending(tx, pending).await?;
        }
        Ok(true)
    }

    /// Strikes out an application credential that was revoked, or never made.
    pub async fn forget_credential(&self, name: &str) -> Result<(), StoreError> {
        self.write("forget credential", |tx| async move {
            let tx = &*tx;
            credential::Entity::delete_by_id(name).exec(tx).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    /// Application credentials that were noted before this time and that no cluster took over, oldest first.
    pub async fn pending_credentials(&self, noted_before: Timestamp) -> Result<Vec<PendingCredential>, StoreError> {
        use credential::{Column, Entity};
        let old = Entity::find().filter(Column::Noted.lt(millis(noted_before)));
        let rows = old.order_by_asc(Column::Noted).order_by_asc(Column::Name).all(&self.reader()).await?;
        rows.into_iter().map(|row| self.credential(row)).collect()
    }

    fn credential(&self, row: credential::Model) -> Result<PendingCredential, StoreError> {
        let cluster: ClusterId = row.cluster.parse().map_err(|_| StoreError::BadRow {
            table: "jeroboam_credential",
            column: "cluster",
            id: row.name.clone(),
            problem: "not a uuid".to_owned(),
        })?;
        let secret = row.sealed.map(|sealed| self.sealer()?.open(&place(cluster, &row.name), &sealed)).transpose()?;
        Ok(PendingCredential {
            name: row.name,
            cluster,
            project: row.project.into(),
            user: row.user_id.into(),
            id: row.credential,
            secret,
            noted: from_millis(row.noted),
        })
    }

    /// Keeps secrets of a cluster, over those of the same name.
    pub(crate) async fn keep_secrets<C: ConnectionTrait>(
        &self,
        tx: &C,
        cluster: ClusterId,
        secrets: &[(String, SecretString)],
    ) -> Result<(), StoreError> {
        use secret::{ActiveModel, Column, Entity};
        for (name, text) in secrets {
            let sealed = self.sealer()?.seal(&place(cluster, name), text)?;
            let row = ActiveModel { cluster: Set(cluster.to_string()), name: Set(name.clone()), sealed: Set(sealed) };
            let again = OnConflict::columns([Column::Cluster, Column::Name]).update_column(Column::Sealed).to_owned();
            Entity::insert(row).on_conflict(again).exec_without_returning(tx).await?;
        }
        Ok(())
    }

    fn sealer(&self) -> Result<&Sealer, StoreError> {
        self.sealer.as_deref().ok_or(StoreError::Sealed("no key is configured that seals secrets"))
    }
}

/// Strikes out the note of a credential that a cluster takes over. `false`: it is being revoked, or is no more.
pub(crate) async fn take_credential<C: ConnectionTrait>(tx: &C, name: &str) -> Result<bool, StoreError> {
    let taken = credential::Entity::delete_many().filter(still_wanted(name)).exec(tx).await?;
    Ok(taken.rows_affected == 1)
}

fn still_wanted(name: &str) -> Condition {
    use credential::Column;
    Condition::all().add(Column::Name.eq(name)).add(Column::Noted.ne(CONDEMNED))
}

/// What a sealed text is bound to.
fn place(cluster: ClusterId, name: &str) -> String {
    format!("{cluster}/{name}")
}
