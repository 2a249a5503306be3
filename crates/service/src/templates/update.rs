//! `PATCH /v1/clustertemplates/{ident}`.

use jeroboam_model::{Caller, ClusterTemplate};
use jeroboam_store::TemplateUpdate;

use super::create::named;
use super::{Templates, validate};
use crate::cloud::References;
use crate::clusters::ATTEMPTS;
use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, Service, rules};

impl Templates<'_> {
    /// `PATCH /v1/clustertemplates/{ident}`. `decide` gives the template as it is to be; ids, owner and times are kept
    /// whatever it says. It may be asked again when somebody else was faster.
    pub async fn update(
        &self,
        caller: &Caller,
        ident: &str,
        decide: impl Fn(&ClusterTemplate) -> Result<ClusterTemplate, Error> + Send + Sync,
    ) -> Result<ClusterTemplate, Error> {
        let service = self.0;
        service.enforce_wider_view(caller, "clustertemplate:update_all_projects")?;
        for _ in 0..ATTEMPTS {
            let was = service.find_template(caller, ident).await?;
            service.enforce(caller, "clustertemplate:update", &Target::template(&was))?;
            let mut now = same_row(&was, decide(&was)?);
            let changed = validate::changed_fields(&was, &now);
            if changed.is_empty() {
                return Ok(was);
            }
            service.check_change(caller, &was, &mut now, &changed).await?;
            let bearable = validate::harmless(&changed, &now);
            now.updated_at = Some(service.now());
            let written = service.inner.store.update_template(&was, &now, bearable).await;
            match written.map_err(|error| from_store(Looking::Templates, error))? {
                TemplateUpdate::Written => return Ok(now),
                TemplateUpdate::InUse => return Err(Error::TemplateInUse(was.id)),
                TemplateUpdate::Moved => {}
            }
        }
        Err(Error::Contended(format!("ClusterTemplate {ident}")))
    }
}

/// The changed template in the row of the old one.
fn same_row(was: &ClusterTemplate, now: ClusterTemplate) -> ClusterTemplate {
    ClusterTemplate {
        serial: was.serial,
        id: was.id,
        project: was.project.clone(),
        user: was.user.clone(),
        created_at: was.created_at,
        updated_at: was.updated_at,
        ..now
    }
}

impl Service {
    /// Looks at what changed, and at nothing else: a template whose image went away can still be renamed.
    async fn check_change(
        &self,
        caller: &Caller,
        was: &ClusterTemplate,
        now: &mut ClusterTemplate,
        changed: &[&str],
    ) -> Result<(), Error> {
        let (settings, cloud) = (&self.inner.settings, self.cloud(caller));
        let touches = |names: &[&str]| names.iter().any(|name| changed.contains(name));
        if touches(&["network_driver"]) {
            let driver = now.network_driver.take().unwrap_or_else(|| settings.default_network_driver.clone());
            validate::network_driver(&driver, settings)?;
            now.network_driver = Some(driver);
        }
        if touches(&["volume_driver"]) {
            validate::volume_driver(now.volume_driver.as_deref())?;
        }
        if touches(&["dns_nameserver"]) {
            validate::name_servers(now.dns_nameserver.as_deref())?;
        }
        if touches(&["docker_volume_size", "docker_storage_driver"]) {
            rules::storage_driver(now.docker_storage_driver.as_deref(), now.docker_volume_size)?;
        }
        if touches(&["image_id", "driver", "server_type", "coe"]) {
            let image = cloud.image(now.image_id.as_deref().unwrap_or_default()).await?;
            now.cluster_distro = image.os_distro().map(str::to_owned);
            now.driver = Some(self.driver_of(now, &image)?);
        }
        let all = named(now);
        let fresh = |name: &str, value| if touches(&[name]) { value } else { None };
        // The disks of both flavors count as soon as one of them or the size of the volume changes.
        let disks = touches(&["flavor_id", "master_flavor_id", "labels"]);
        let references = References {
            image: None,
            flavor: all.flavor.filter(|_| disks),
            master_flavor: all.master_flavor.filter(|_| disks),
            external_network: fresh("external_network_id", all.external_network),
            fixed_network: all.fixed_network.filter(|_| touches(&["fixed_network", "fixed_subnet"])),
            fixed_subnet: all.fixed_subnet.filter(|_| touches(&["fixed_network", "fixed_subnet"])),
            keypair: None,
            volume_type: all.volume_type.filter(|_| disks),
        };
        self.check_references(&cloud, now, references).await?;
        if was.public != now.public || was.hidden != now.hidden {
            self.may_publish(caller)?;
        }
        Ok(())
    }
}
