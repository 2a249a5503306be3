//! Statements for a database, through the client program that comes with it: what no request can reach is written by hand.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

/// One database, whose statements are run one by one.
pub(crate) struct Database {
    name: String,
    session: Mutex<Session>,
}

struct Session {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Database {
    /// Opens a database behind a socket.
    pub(crate) fn open(socket: &str, name: &str) -> Result<Self> {
        let mut child = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names", "--unbuffered"])
            .arg(format!("--socket={socket}"))
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start mariadb, the client program")?;
        let input = child.stdin.take().context("it has an input")?;
        let output = BufReader::new(child.stdout.take().context("it has an output")?).lines();
        Ok(Self { name: name.to_owned(), session: Mutex::new(Session { _child: child, input, output }) })
    }

    /// Runs statements, each with its semicolon, and gives the first column of what they find.
    pub(crate) async fn run(&self, statements: &str) -> Result<Vec<String>> {
        const END: &str = "-- end --";
        let mut session = self.session.lock().await;
        session.input.write_all(format!("{statements}\nSELECT '{END}';\n").as_bytes()).await?;
        session.input.flush().await?;
        let mut found = Vec::new();
        loop {
            let Some(line) = session.output.next_line().await? else {
                bail!("the database {} refused: {statements}", self.name);
            };
            if line == END {
                return Ok(found);
            }
            found.push(line);
        }
    }

    /// Ends connections that have left a transaction open, which Magnum's do where an insert failed: whoever changes a table would wait for them without end.
    async fn end_transactions(&self) -> Result<()> {
        let sql = format!(
            "SELECT CONCAT('KILL ', p.id, ';') FROM information_schema.innodb_trx t \
             JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
             WHERE p.db = '{}' AND p.command = 'Sleep';",
            self.name
        );
        let kills = self.run(&sql).await?.concat();
        if !kills.is_empty() {
            self.run(&kills).await?;
        }
        Ok(())
    }

    /// Removes every row of every table but the books of the migrations and of the running processes.
    pub(crate) async fn clear(&self) -> Result<()> {
        let sql = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' \
             AND table_type = 'BASE TABLE' \
             AND table_name NOT IN ('alembic_version', 'jeroboam_migration', 'magnum_service');",
            self.name
        );
        let tables = self.run(&sql).await?;
        let deletes: String = tables.iter().map(|table| format!("DELETE FROM `{table}`;")).collect();
        // A request may have given a row a number, from which the next ones would be counted for good, also where the row is gone.
        let far = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' AND auto_increment > 1000000;",
            self.name
        );
        let far = self.run(&far).await?;
        self.run(&format!("SET foreign_key_checks = 0; {deletes} SET foreign_key_checks = 1;")).await?;
        if !far.is_empty() {
            self.end_transactions().await?;
        }
        for table in far {
            self.run(&format!("ALTER TABLE {table} AUTO_INCREMENT = 1;")).await?;
        }
        Ok(())
    }
}
