//! `POST /v1/clustertemplates`.

use jeroboam_model::{Caller, ClusterTemplate, TemplateId, Timestamp};
use jeroboam_openstack::Image;
use jeroboam_store::StoreError;
use uuid::Uuid;

use super::{Templates, validate};
use crate::cloud::{Cloud, References};
use crate::drivers::{self, Wanted};
use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, NewTemplate, Service, labels, names, rules};

const COE: &str = "kubernetes";

impl Templates<'_> {
    /// `POST /v1/clustertemplates`.
    pub async fn create(&self, caller: &Caller, new: NewTemplate) -> Result<ClusterTemplate, Error> {
        let service = self.0;
        let settings = &service.inner.settings;
        let mut template = draft(new, caller, service.now())?;
        validate::name_servers(template.dns_nameserver.as_deref())?;
        let network_driver = template.network_driver.take().filter(|driver| !driver.is_empty());
        let network_driver = network_driver.unwrap_or_else(|| settings.default_network_driver.clone());
        validate::network_driver(&network_driver, settings)?;
        template.network_driver = Some(network_driver);
        validate::volume_driver(template.volume_driver.as_deref())?;
        rules::storage_driver(template.docker_storage_driver.as_deref(), template.docker_volume_size)?;

        let cloud = service.cloud(caller);
        let image = cloud.image(template.image_id.as_deref().unwrap_or_default()).await?;
        template.cluster_distro = image.os_distro().map(str::to_owned);
        template.driver = Some(service.driver_of(&template, &image)?);
        service.enforce(caller, "clustertemplate:create", &Target::own(caller))?;
        service.check_references(&cloud, &template, References { image: None, ..named(&template) }).await?;
        if template.public || template.hidden {
            service.may_publish(caller)?;
        }
        let id = template.id;
        service.inner.store.create_template(&template).await.map_err(|error| match error {
            StoreError::Duplicate { .. } => Error::TemplateExists(id),
            other => from_store(Looking::Templates, other),
        })
    }
}

/// The template with its defaults, before anything is looked at.
fn draft(new: NewTemplate, caller: &Caller, now: Timestamp) -> Result<ClusterTemplate, Error> {
    let name = new.name.unwrap_or_else(|| names::generated(Uuid::new_v4().as_u128(), "template"));
    Ok(ClusterTemplate {
        serial: 0,
        id: new.id.unwrap_or_else(TemplateId::random),
        name: Some(name),
        project: caller.project.clone().ok_or(Error::NoProject)?,
        user: caller.user.clone(),
        coe: COE.to_owned(),
        image_id: Some(new.image_id),
        cluster_distro: None,
        flavor_id: new.flavor_id,
        master_flavor_id: new.master_flavor_id,
        keypair_id: new.keypair_id,
        external_network_id: new.external_network_id,
        fixed_network: new.fixed_network,
        fixed_subnet: new.fixed_subnet,
        dns_nameserver: new.dns_nameserver,
        network_driver: new.network_driver,
        volume_driver: new.volume_driver,
        apiserver_port: new.apiserver_port,
        docker_volume_size: new.docker_volume_size,
        docker_storage_driver: new.docker_storage_driver,
        http_proxy: new.http_proxy,
        https_proxy: new.https_proxy,
        no_proxy: new.no_proxy,
        insecure_registry: new.insecure_registry,
        registry_enabled: new.registry_enabled,
        labels: new.labels,
        tls_disabled: new.tls_disabled,
        public: new.public,
        hidden: new.hidden,
        server_type: new.server_type,
        master_lb_enabled: new.master_lb_enabled,
        floating_ip_enabled: new.floating_ip_enabled.unwrap_or(true),
        tags: new.tags,
        driver: new.driver,
        created_at: now,
        updated_at: None,
    })
}

/// Everything that a template names in the cloud. Its key pair is looked at when a cluster is made: it is the user's.
pub(super) fn named(template: &ClusterTemplate) -> References<'_> {
    References {
        image: given(&template.image_id),
        flavor: given(&template.flavor_id),
        master_flavor: given(&template.master_flavor_id),
        external_network: given(&template.external_network_id),
        fixed_network: given(&template.fixed_network),
        fixed_subnet: given(&template.fixed_subnet),
        keypair: None,
        volume_type: template.labels.text(labels::BOOT_VOLUME_TYPE),
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

impl Service {
    /// The driver: named in the request, by the image, in the settings, or found by the operating system.
    pub(super) fn driver_of(&self, template: &ClusterTemplate, image: &Image) -> Result<String, Error> {
        let settings = &self.inner.settings;
        let named = template.driver.as_deref().filter(|name| !name.is_empty());
        let named = named.or_else(|| image.property("magnum_driver")).or(settings.default_driver.as_deref());
        let wanted = Wanted { driver: named, ..Wanted::by(template) };
        drivers::resolve(&wanted, settings).map(str::to_owned)
    }

    /// Labels and the named things, with the disk that nodes need.
    pub(super) async fn check_references(
        &self,
        cloud: &Cloud,
        template: &ClusterTemplate,
        named: References<'_>,
    ) -> Result<(), Error> {
        labels::check(&template.labels)?;
        let boot_volume = rules::boot_volume_size(&template.labels, &self.inner.settings)?;
        cloud.look_up(named, boot_volume).await.map(drop)
    }

    pub(super) fn may_publish(&self, caller: &Caller) -> Result<(), Error> {
        let may = self.allows(caller, "clustertemplate:publish", &Target::own(caller));
        if may { Ok(()) } else { Err(Error::PublishDenied) }
    }
}
