//! Reading past connections that have died.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use sea_orm_migration::async_trait;

use crate::error::connection_died;
use crate::limit::TimeLimit;

/// A pool that a query may ask again where the connection turns out to have died since it was last used, as all do when the
/// server is started anew. Each failure takes one out of the pool, so as many tries as it has connections are enough.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) db: &'a DatabaseConnection,
    pub(crate) connections: u32,
    pub(crate) limit: &'a TimeLimit,
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.limit.within(self.db.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.limit.within(self.db.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let tries = async {
            for _ in 0..self.connections {
                match self.db.query_one_raw(statement.clone()).await {
                    Err(error) if connection_died(&error) => {}
                    answer => return answer,
                }
            }
            self.db.query_one_raw(statement.clone()).await
        };
        self.limit.within(tries).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let tries = async {
            for _ in 0..self.connections {
                match self.db.query_all_raw(statement.clone()).await {
                    Err(error) if connection_died(&error) => {}
                    answer => return answer,
                }
            }
            self.db.query_all_raw(statement.clone()).await
        };
        self.limit.within(tries).await
    }
}
