//! Federations, as far as rows of them are there. Magnum: nothing in it ever writes one.

use jeroboam_model::{Federation, Page, ProjectId};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, IdenStatic, Iterable, QueryFilter, QuerySelect};

use crate::entity::federation::{Column, Entity, Model};
use crate::error::nothing_if_unstorable;
use crate::page::{Listing, after_id};
use crate::rows::instant;
use crate::{Ident, Store, StoreError, json};

impl Store {
    /// The named federation of a project.
    pub async fn federation(&self, ident: &Ident, project: &ProjectId) -> Result<Option<Federation>, StoreError> {
        let wanted = match ident {
            Ident::Id(id) => Column::Uuid.eq(id.to_string()),
            Ident::Serial(serial) => Column::Id.eq(*serial),
            Ident::Name(name) => Column::Name.eq(name.as_str()),
        };
        let own = Entity::find().filter(wanted).filter(Column::ProjectId.eq(project.as_str()));
        let rows = own.limit(2).all(&self.reader()).await.map_err(StoreError::from);
        let mut rows = nothing_if_unstorable(rows)?;
        if rows.len() > 1 {
            return Err(StoreError::Ambiguous { what: "federation" });
        }
        rows.pop().map(Federation::try_from).transpose()
    }

    /// One page of a project's federations.
    pub async fn federations(&self, project: &ProjectId, page: &Page) -> Result<Vec<Federation>, StoreError> {
        let columns: Vec<_> = Column::iter().map(|column| column.as_str()).collect();
        let listing = Listing {
            table: "federation",
            select: &crate::sql::columns("c", &columns),
            joins: "",
            columns: &columns,
            after: after_id(page),
            visible: &|sql, alias| {
                sql.push(alias).push(".project_id = ").bind(project.as_str());
            },
        };
        let rows = listing.page(&self.reader(), page).await?;
        rows.iter().map(|row| Model::from_query_result(row, "")?.try_into()).collect()
    }
}

impl TryFrom<Model> for Federation {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let id = row.uuid.unwrap_or_else(|| row.id.to_string());
        let bad = |column: &'static str, problem: String| StoreError::BadRow {
            table: "federation",
            column,
            id: id.clone(),
            problem,
        };
        let members = json::loads_list(row.member_ids.as_deref()).map_err(|problem| bad("member_ids", problem))?;
        let properties = json::loads_map(row.properties.as_deref()).map_err(|problem| bad("properties", problem))?;
        Ok(Self {
            id: id.parse().map_err(|_| bad("uuid", "not a uuid".to_owned()))?,
            name: row.name,
            host_cluster: row.hostcluster_id,
            members: members.into_iter().map(json::python_text).collect(),
            status: row.status,
            status_reason: row.status_reason,
            properties,
            created_at: row.created_at.map(instant),
            updated_at: row.updated_at.map(instant),
        })
    }
}
