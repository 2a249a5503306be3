//! `jeroboam service …`

use crate::args::{ListArgs, ServiceCommand};
use crate::client::Api;
use crate::{Failure, Surroundings, output};

const COLUMNS: [&str; 5] = ["id", "host", "binary", "state", "updated_at"];

pub(super) async fn run(api: &Api, command: ServiceCommand, surroundings: &mut Surroundings) -> Result<(), Failure> {
    match command {
        ServiceCommand::List { output } => {
            let services = api.list(&["mservices"], &ListArgs::default(), &[]).await?;
            surroundings.print(&output::list(&services, &COLUMNS, &output, surroundings.screen)?)
        }
    }
}
