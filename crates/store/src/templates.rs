//! Cluster templates.

use jeroboam_model::{ClusterTemplate, Scope, TemplateId};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::{cluster, cluster_template};
use crate::error::{is_duplicate, nothing_if_unstorable};
use crate::page::own_rows;
use crate::rows::database_time;
use crate::sql::Sql;
use crate::store::Then;
use crate::{Ident, Store, StoreError, TemplateDeletion, TemplateUpdate, columns, writes};

use cluster_template::{Column, Entity};

impl Store {
    /// Keeps a new template. Its serial is ignored; what comes back has the true one.
    pub async fn create_template(&self, new: &ClusterTemplate) -> Result<ClusterTemplate, StoreError> {
        self.write("create template", |tx| async move {
            let tx = &*tx;
            let mut row = columns::template(new);
            row.created_at = Set(Some(database_time(new.created_at)));
            row.updated_at = Set(new.updated_at.map(database_time));
            let row = writes::insert_template(tx, row).await.map_err(|error| {
                if is_duplicate(&error) { StoreError::Duplicate { what: "cluster template" } } else { error.into() }
            })?;
            Ok(Then::Commit(row.try_into()?))
        })
        .await
    }

    /// The named template, if it may be seen: own ones, and public ones that are not hidden.
    pub async fn template(&self, ident: &Ident, scope: &Scope) -> Result<Option<ClusterTemplate>, StoreError> {
        let wanted = match ident {
            Ident::Id(id) => Column::Uuid.eq(id.to_string()),
            Ident::Serial(serial) => match i32::try_from(*serial) {
                Ok(serial) => Column::Id.eq(serial),
                Err(_) => return Ok(None),
            },
            Ident::Name(name) => Column::Name.eq(name.as_str()),
        };
        let rows = Entity::find().filter(wanted).filter(visible(scope)).limit(2).all(&self.reader()).await;
        let mut rows = nothing_if_unstorable(rows.map_err(StoreError::from))?;
        if rows.len() > 1 {
            return Err(StoreError::Ambiguous { what: "cluster template" });
        }
        rows.pop().map(ClusterTemplate::try_from).transpose()
    }

    /// A template whoever may see it: what a cluster follows does not depend on who looks.
    pub async fn template_unfiltered(&self, id: TemplateId) -> Result<Option<ClusterTemplate>, StoreError> {
        template_row(&self.reader(), id).await?.map(ClusterTemplate::try_from).transpose()
    }

    /// Writes `now` where the row still says `was`. Unless clusters can bear the change (`bearable`), none may follow the
    /// template; that is looked at under the lock that a new follower needs.
    pub async fn update_template(
        &self,
        was: &ClusterTemplate,
        now: &ClusterTemplate,
        bearable: bool,
    ) -> Result<TemplateUpdate, StoreError> {
        self.write("update template", |tx| async move {
            let tx = &*tx;
            let found = locked(tx, was.id).await?;
            if found.map(ClusterTemplate::try_from).transpose()?.as_ref() != Some(was) {
                return Ok(Then::Undo(TemplateUpdate::Moved));
            }
            if !bearable && in_use(tx, was.id).await? {
                return Ok(Then::Undo(TemplateUpdate::InUse));
            }
            writes::update_template(tx, was, now, self.now()).await?;
            Ok(Then::Commit(TemplateUpdate::Written))
        })
        .await
    }

    /// Deletes a template that no cluster follows.
    pub async fn delete_template(&self, template: &ClusterTemplate) -> Result<TemplateDeletion, StoreError> {
        self.write("delete template", |tx| async move {
            let tx = &*tx;
            let Some(row) = locked(tx, template.id).await? else {
                return Ok(Then::Undo(TemplateDeletion::Gone));
            };
            if in_use(tx, template.id).await? {
                return Ok(Then::Undo(TemplateDeletion::InUse));
            }
            writes::delete_template(tx, template.id, row.id).await?;
            Ok(Then::Commit(TemplateDeletion::Deleted))
        })
        .await
    }
}

/// The row, held until the transaction ends: no cluster can be made from it or moved to it while it is being deleted.
pub(crate) async fn locked<C: ConnectionTrait>(
    tx: &C,
    id: TemplateId,
) -> Result<Option<cluster_template::Model>, StoreError> {
    Ok(Entity::find().filter(Column::Uuid.eq(id.to_string())).lock_exclusive().one(tx).await?)
}

pub(crate) async fn template_row<C: ConnectionTrait>(
    db: &C,
    id: TemplateId,
) -> Result<Option<cluster_template::Model>, StoreError> {
    Ok(Entity::find().filter(Column::Uuid.eq(id.to_string())).one(db).await?)
}

async fn in_use<C: ConnectionTrait>(db: &C, id: TemplateId) -> Result<bool, StoreError> {
    let follower = cluster::Entity::find()
        .select_only()
        .column(cluster::Column::Id)
        .filter(cluster::Column::ClusterTemplateId.eq(id.to_string()))
        .limit(1);
    Ok(follower.into_tuple::<i32>().one(db).await?.is_some())
}

fn visible(scope: &Scope) -> Condition {
    let own = match scope {
        Scope::All => return Condition::all(),
        Scope::Project(project) => Column::ProjectId.eq(project.as_str()),
        Scope::User(user) => Column::UserId.eq(user.as_str()),
    };
    let shown = Condition::any().add(Column::Hidden.eq(false)).add(Column::Hidden.is_null());
    Condition::any().add(own).add(Condition::all().add(Column::Public.eq(true)).add(shown))
}

/// The same for a statement that is written by hand.
pub(crate) fn visible_sql(sql: &mut Sql, alias: &str, scope: &Scope) {
    sql.push("(");
    own_rows(sql, alias, scope);
    sql.push(&format!(" OR ({alias}.public = ")).bind(true);
    sql.push(&format!(" AND ({alias}.hidden IS NULL OR {alias}.hidden = ")).bind(false).push(")))");
}
