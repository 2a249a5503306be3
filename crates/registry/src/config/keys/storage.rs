//! The store.

use super::Kind::{Duration, Flag, Free, Number, Secret, Size, Text, Texts};
use super::{Chapter, key, without_effect};

pub(super) const STORAGE: Chapter = Chapter {
    title: "Storage",
    about: "Exactly one place: `filesystem`, `s3`, `swift` or `inmemory`.",
    keys: &[
        key(
            "storage.inmemory",
            Free,
            "",
            "Memory, for trying things out: everything is forgotten when the process ends",
        ),
        key("storage.delete.enabled", Flag, "false", "Whether manifests, tags and blobs can be deleted by clients"),
        key(
            "storage.redirect.disable",
            Flag,
            "false",
            "Whether blobs always go through the registry; see `jeroboam.redirect` for more",
        ),
        key("storage.maintenance.readonly.enabled", Flag, "false", "Whether nothing can be pushed or deleted"),
        key(
            "storage.maintenance.uploadpurging.enabled",
            Flag,
            "true",
            "Whether uploads that nobody went on with are removed",
        ),
        key("storage.maintenance.uploadpurging.age", Duration, "168h", "How old these have to be"),
        key("storage.maintenance.uploadpurging.interval", Duration, "24h", "How often they are looked for"),
        key("storage.maintenance.uploadpurging.dryrun", Flag, "false", "Whether they are only named in the log"),
        without_effect("storage.cache", "what is cached is in memory and bounded by jeroboam.cache"),
        without_effect("storage.tag", "tags are looked up as many at a time as the store takes"),
    ],
};

pub(super) const FILESYSTEM: Chapter = Chapter {
    title: "A directory",
    about: "`storage.filesystem`, with the tree that distribution makes.",
    keys: &[
        key("storage.filesystem.rootdirectory", Text, "/var/lib/registry", "The directory"),
        without_effect(
            "storage.filesystem.maxthreads",
            "as many files are worked on as there are requests, by threads that the process keeps",
        ),
    ],
};

pub(super) const S3: Chapter = Chapter {
    title: "S3",
    about: "`storage.s3`, also spelled `s3aws`. Without keys, those of the environment, of the shared file and of the machine are used.",
    keys: &[
        key("storage.s3.accesskey", Text, "", "The access key"),
        key("storage.s3.secretkey", Secret, "", "Its secret"),
        key("storage.s3.sessiontoken", Secret, "", "The token of a session"),
        key("storage.s3.region", Text, "", "The region"),
        key("storage.s3.regionendpoint", Text, "", "The address of a service that is not Amazon's"),
        key(
            "storage.s3.forcepathstyle",
            Flag,
            "true with regionendpoint",
            "Whether the bucket stands in the path and not in the host's name",
        ),
        key("storage.s3.bucket", Text, "", "The bucket; it has to exist"),
        key("storage.s3.rootdirectory", Text, "", "What stands before all names"),
        key("storage.s3.encrypt", Flag, "false", "Whether objects are encrypted by the service"),
        key("storage.s3.keyid", Text, "", "With this key of its key management"),
        key("storage.s3.secure", Flag, "true", "Whether an address without scheme means `https`"),
        key("storage.s3.skipverify", Flag, "false", "Whether any certificate is believed"),
        key("storage.s3.chunksize", Size, "5MiB", "Size of the parts of an upload, while there are few of them"),
        key(
            "storage.s3.partsatonce",
            Number,
            "1",
            "Parts of an upload that are on their way at a time: more make one upload to a store far away faster, and take memory",
        ),
        key("storage.s3.multipartcopychunksize", Size, "32MiB", "Size of the parts of a copy"),
        key("storage.s3.multipartcopymaxconcurrency", Number, "32", "Parts that are copied at a time"),
        key("storage.s3.multipartcopythresholdsize", Size, "32MiB", "Size from which on a copy is made in parts"),
        key("storage.s3.storageclass", Text, "", "The class of what is written"),
        key(
            "storage.s3.objectacl",
            Text,
            "",
            "The access list of what is written; buckets without such lists refuse any",
        ),
        key("storage.s3.useragent", Text, "", "What requests call themselves"),
        key("storage.s3.conditionalput", Flag, "found out", "Whether the service honours `If-None-Match: *`"),
        without_effect("storage.s3.v4auth", "requests are signed with version 4 and no other"),
        without_effect("storage.s3.accelerate", "there is no address for transfer acceleration"),
        without_effect("storage.s3.usedualstack", "regionendpoint names any address"),
        without_effect("storage.s3.loglevel", "requests are logged at debug level"),
        without_effect("storage.s3.multipartcopydeletebehavior", "what was staged is always removed"),
    ],
};

pub(super) const SWIFT: Chapter = Chapter {
    title: "Swift",
    about: "`storage.swift`, in a container that distribution 2 may have filled. What is not set comes from `OS_*` variables and `clouds.yaml`.",
    keys: &[
        key("storage.swift.authurl", Text, "", "Keystone, with `/v3`; or the address of version 1"),
        key("storage.swift.cloud", Text, "", "A cloud of `clouds.yaml`, for whatever is not set here"),
        key("storage.swift.username", Text, "", "The user"),
        key("storage.swift.password", Secret, "", "The password"),
        key("storage.swift.container", Text, "", "The container; made where it is missing"),
        key("storage.swift.tenant", Text, "", "The project by name"),
        key("storage.swift.tenantid", Text, "", "The project by id"),
        key("storage.swift.domain", Text, "", "The user's domain by name"),
        key("storage.swift.domainid", Text, "", "The user's domain by id"),
        key("storage.swift.tenantdomain", Text, "", "The project's domain by name"),
        key("storage.swift.tenantdomainid", Text, "", "The project's domain by id"),
        key("storage.swift.trustid", Text, "", "A trust, in place of a project"),
        key(
            "storage.swift.applicationcredentialid",
            Text,
            "",
            "An application credential by id, in place of user and password",
        ),
        key("storage.swift.applicationcredentialname", Text, "", "An application credential by name, with its user"),
        key("storage.swift.applicationcredentialsecret", Secret, "", "Its secret"),
        key("storage.swift.tokenid", Secret, "", "A token; when it ends, so does the registry's access"),
        key(
            "storage.swift.secretsfile",
            Text,
            "",
            "A file of `name: value` lines for any of these keys that are not set here; read again when it changes",
        ),
        key("storage.swift.region", Text, "", "The region"),
        key("storage.swift.authversion", Number, "by the address", "1, 2 or 3"),
        key("storage.swift.endpointtype", Text, "public", "`public`, `internal` or `admin`"),
        key("storage.swift.insecureskipverify", Flag, "false", "Whether any certificate is believed"),
        key("storage.swift.cacert", Text, "", "The only authorities to believe, in PEM"),
        key("storage.swift.prefix", Text, "", "What stands before all names"),
        without_effect(
            "storage.swift.chunksize",
            "segments grow with the upload: 64 of 16 MiB, 64 of 64 MiB, then 256 MiB",
        ),
        key("storage.swift.createcontainer", Flag, "true", "Whether a container that is missing is made"),
        key("storage.swift.storageurl", Text, "by the catalogue", "The address of the account"),
        key(
            "storage.swift.largeobject",
            Text,
            "auto",
            "How objects of many segments are written: `dlo`, `slo` or `auto`",
        ),
        key("storage.swift.secretkey", Secret, "", "The key that signs temporary addresses"),
        without_effect("storage.swift.accesskey", "it belonged to a cloud that is no more; the key is secretkey"),
        without_effect(
            "storage.swift.tempurlcontainerkey",
            "a secretkey that is set is used, whether it is the account's or the container's; without one, the container's own",
        ),
        key("storage.swift.tempurlmethods", Texts, "by the service", "The methods that such addresses are made for"),
        key(
            "storage.swift.tempurlrotateafter",
            Duration,
            "",
            "How old the container's key gets before a new one takes its place, at least 24h; never, if not set. Only with `compat: exclusive` and without `secretkey`",
        ),
        without_effect(
            "storage.swift.rootdirectory",
            "distribution's sample shows it, and its Swift never looked at it; the key is prefix",
        ),
    ],
};
