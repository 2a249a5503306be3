//! Looks at what a request names in the cloud, with the caller's own token, and says what is wrong in Magnum's words.

use jeroboam_model::{Caller, Cluster, KubeRelease, Labels};
use jeroboam_openstack::{Error as CloudError, Flavor, Image, Kind, Session};

use crate::{Error, Service, labels};

/// The cloud as one caller sees it.
pub(crate) struct Cloud {
    session: Session,
}

/// What a request names; `None` is not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct References<'a> {
    pub(crate) image: Option<&'a str>,
    pub(crate) flavor: Option<&'a str>,
    pub(crate) master_flavor: Option<&'a str>,
    pub(crate) external_network: Option<&'a str>,
    pub(crate) fixed_network: Option<&'a str>,
    pub(crate) fixed_subnet: Option<&'a str>,
    pub(crate) keypair: Option<&'a str>,
    /// The type of the volumes that nodes boot from.
    pub(crate) volume_type: Option<&'a str>,
}

/// What is known of what was named.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) image: Option<Image>,
}

impl Service {
    pub(crate) fn cloud(&self, caller: &Caller) -> Cloud {
        let session = self.inner.session.for_token(caller.token.clone(), None);
        Cloud { session: session.with_request_id(caller.trace_id()) }
    }
}

impl Cloud {
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Looks for everything at once; of several misses the first in the order of the fields is told.
    ///
    /// Nodes with neither a disk of the flavor's nor a volume to boot from can't be made: `boot_volume` is its size in GiB.
    pub(crate) async fn look_up(&self, named: References<'_>, boot_volume: i64) -> Result<Found, Error> {
        let (flavor, master_flavor, image, external, network, keypair, volume_type) = tokio::join!(
            self.optional_flavor(named.flavor),
            self.optional_flavor(named.master_flavor),
            self.optional_image(named.image),
            self.external_network(named.external_network),
            self.fixed_network(named.fixed_network, named.fixed_subnet),
            self.keypair(named.keypair),
            self.volume_type(named.volume_type.filter(|_| boot_volume > 0)),
        );
        let flavors = [flavor?, master_flavor?];
        if boot_volume == 0 && flavors.iter().flatten().any(|flavor| flavor.disk == 0) {
            return Err(Error::bad_request(
                "Flavor with zero root volume size is not supported when boot_volume_size is zero.",
            ));
        }
        let image = image?;
        external?;
        network?;
        keypair?;
        volume_type?;
        Ok(Found { image })
    }

    /// An image that says what system is on it.
    pub(crate) async fn image(&self, name: &str) -> Result<Image, Error> {
        let image = self.session.image().find(name).await.map_err(|error| match error.kind() {
            Kind::NotFound => Error::bad_request(format!("Image {name} could not be found.")),
            Kind::Forbidden => Error::Forbidden(format!("Not authorized for image {name}.")),
            _ => refusal("image", name, error),
        })?;
        if image.os_distro().is_none() {
            return Err(Error::bad_request(format!("Image {name} doesn't contain os_distro field.")));
        }
        Ok(image)
    }

    async fn optional_image(&self, name: Option<&str>) -> Result<Option<Image>, Error> {
        match name {
            Some(name) => self.image(name).await.map(Some),
            None => Ok(None),
        }
    }

    async fn optional_flavor(&self, name: Option<&str>) -> Result<Option<Flavor>, Error> {
        let Some(name) = name else { return Ok(None) };
        let found = self.session.compute().flavor(name).await.map_err(|error| match error.kind() {
            Kind::NotFound => Error::bad_request(format!("Unable to find flavor {name}.")),
            _ => refusal("flavor", name, error),
        });
        found.map(Some)
    }

    async fn keypair(&self, name: Option<&str>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        match self.session.compute().keypair(name).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::NotFound => Err(Error::NoKeypair(name.to_owned())),
            Err(error) => Err(refusal("keypair", name, error)),
        }
    }

    async fn volume_type(&self, name: Option<&str>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        let found = self.session.volume().volume_type(name).await;
        found.map(drop).map_err(|error| unfound("volume type", name, error))
    }

    async fn external_network(&self, name: Option<&str>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        let found = self.session.network().network(name, Some(true)).await;
        found.map(drop).map_err(|error| unfound("external network", name, error))
    }

    /// The network, and the subnet within it.
    async fn fixed_network(&self, network: Option<&str>, subnet: Option<&str>) -> Result<(), Error> {
        let mut within = None;
        if let Some(name) = network {
            let found = self.session.network().network(name, None).await;
            within = Some(found.map_err(|error| unfound("fixed network", name, error))?.id);
        }
        let Some(name) = subnet else { return Ok(()) };
        let found = self.session.network().subnet(name, within.as_deref()).await;
        found.map(drop).map_err(|error| unfound("fixed subnet", name, error))
    }
}

fn unfound(what: &'static str, name: &str, error: CloudError) -> Error {
    match error.kind() {
        Kind::NotFound => Error::bad_request(format!("Unable to find {what} {name}.")),
        _ => refusal(what, name, error),
    }
}

/// What the caller is told of an error that is no plain "not there".
pub(crate) fn refusal(what: &'static str, name: &str, error: CloudError) -> Error {
    let service = error.service().map_or_else(|| "OpenStack".to_owned(), |service| service.to_string());
    match error.kind() {
        // Magnum: networks and subnets of clusters are plain ones here.
        Kind::Ambiguous => Error::ManyResources { what: what.trim_start_matches("fixed "), name: name.to_owned() },
        Kind::Forbidden | Kind::Unauthorized => {
            Error::Forbidden(format!("{service} connection failed. The token is not accepted for {what} {name}."))
        }
        Kind::Unavailable | Kind::Timeout => Error::Unavailable { what: away(&error), source: error.into() },
        _ if matches!(error, CloudError::NoEndpoint { .. }) => {
            Error::Forbidden(format!("{service} connection failed. {error}."))
        }
        _ if matches!(error, CloudError::Refused { .. }) => {
            Error::bad_request(format!("The {service} service does not accept {what} {name}."))
        }
        _ => Error::internal("ask OpenStack", error),
    }
}

fn away(error: &CloudError) -> &'static str {
    use jeroboam_openstack::ServiceType;

    match error.service() {
        Some(ServiceType::Identity) => "identity service",
        Some(ServiceType::Compute) => "compute service",
        Some(ServiceType::Image) => "image service",
        Some(ServiceType::Network) => "network service",
        Some(ServiceType::BlockStorage) => "volume service",
        Some(ServiceType::KeyManager) => "key manager",
        Some(ServiceType::LoadBalancer) => "load balancer service",
        _ => "cloud",
    }
}

/// The Kubernetes release of an image and labels together: one has to name it, and two have to agree.
pub(crate) fn release(image_name: &str, image: &Image, given: &Labels) -> Result<KubeRelease, Error> {
    let held = held_by(image_name, image)?;
    match (held, labels::release(given)?) {
        (Some(held), Some(wanted)) if held != wanted => Err(Error::bad_request(format!(
            "Image {image_name} holds Kubernetes {held}, but the label kube_tag asks for {wanted}: the two have to be the same."
        ))),
        (Some(release), _) | (None, Some(release)) => Ok(release),
        (None, None) => Err(Error::bad_request(format!(
            "No Kubernetes version is known: set the label kube_tag, or the property kube_version of image {image_name}, \
             to something like v1.33.4."
        ))),
    }
}

/// Nodes that join a cluster have to hold the release that it runs, as far as both are known.
pub(crate) fn same_release(image_name: &str, image: &Image, cluster: &Cluster) -> Result<(), Error> {
    let running = match labels::release(&cluster.labels)? {
        Some(wanted) => Some(wanted),
        None => cluster.coe_version.as_deref().and_then(|text| text.parse().ok()),
    };
    match (held_by(image_name, image)?, running) {
        (Some(held), Some(running)) if held != running => Err(Error::bad_request(format!(
            "Image {image_name} holds Kubernetes {held}, but the cluster runs {running}: the two have to be the same."
        ))),
        _ => Ok(()),
    }
}

fn held_by(image_name: &str, image: &Image) -> Result<Option<KubeRelease>, Error> {
    let held = image.kube_version().map(str::parse::<KubeRelease>).transpose();
    held.map_err(|error| Error::bad_request(format!("Image {image_name} has a bad kube_version: {error}.")))
}
