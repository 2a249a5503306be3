//! What distribution does not have.

use super::Kind::{Duration, Flag, Number, Secret, Size, Text, Texts};
use super::{Chapter, key, later};

pub(super) const OURS: Chapter = Chapter {
    title: "Additions",
    about: "`jeroboam`: what distribution does not have. It reads past this section, so that the file can go back to it. Capital letters, dashes \
            and underscores in names make no difference here.",
    keys: &[
        key(
            "jeroboam.compat",
            Text,
            "shared",
            "`shared` while distribution may use the same store, now or later; `exclusive` for more speed when it never will",
        ),
        key(
            "jeroboam.directory.syncs",
            Text,
            "auto",
            "How much of a directory is synced: `auto` for what its file system needs, as far as that is known; `ordered` for one that keeps the order of changes although nobody can see it; `all` for each file and each directory",
        ),
        key("jeroboam.insecureopen", Flag, "false", "Whether everybody may be let in from everywhere"),
        key(
            "jeroboam.readonlyfile",
            Text,
            "",
            "While this file is there nothing can be pushed or deleted, as with `storage.maintenance.readonly`; looked for every second",
        ),
        key("jeroboam.trustedproxies", Texts, "", "Networks of proxies whose `X-Forwarded-*` and `Forwarded` count"),
        key("jeroboam.cache.manifests", Size, "64MiB", "Most bytes of manifests in memory"),
        key(
            "jeroboam.cache.existence",
            Duration,
            "60s",
            "How long the answer that a blob is there is believed, with `shared`",
        ),
        key(
            "jeroboam.cache.tags",
            Duration,
            "1s",
            "How long the answer where a tag points is believed; at most a second",
        ),
        key(
            "jeroboam.redirect.mode",
            Text,
            "auto",
            "Whether blobs are read from the store itself: `off`, `on` or `auto`",
        ),
        key("jeroboam.redirect.minimum", Size, "1MiB", "With `auto`, smaller blobs go through the registry"),
        key(
            "jeroboam.redirect.networks",
            Texts,
            "",
            "With `auto`, only clients of these networks are sent to the store; without any, nobody is",
        ),
        key("jeroboam.redirect.lifetime", Duration, "20m", "How long an address of the store can be used"),
        key(
            "jeroboam.verifyreads",
            Number,
            "100",
            "One in so many reads of a whole blob is compared with its digest: wrong bytes are not given whole, and are taken anew from whoever pushes them; `0` for none",
        ),
        key(
            "jeroboam.limits.connections",
            Number,
            "by the files that may be open",
            "Connections at a time; more wait. Unless set: half of what the process may open, and at most 4096",
        ),
        key("jeroboam.limits.header", Size, "64KiB", "Most bytes of a request's header"),
        key("jeroboam.limits.uri", Size, "16KiB", "Most bytes of its address"),
        key("jeroboam.limits.manifest", Size, "4MiB", "Most bytes of a manifest, at most 16MiB"),
        key("jeroboam.limits.buffered", Size, "64MiB", "Most bytes of bodies in memory at a time; more requests wait"),
        key("jeroboam.limits.uploadsperaccount", Number, "64", "Uploads that one account may have at a time"),
        key("jeroboam.limits.uploadsperrepository", Number, "256", "Uploads into one repository at a time"),
        key("jeroboam.limits.headertimeout", Duration, "30s", "A client that has sent no header by then is cut off"),
        key(
            "jeroboam.limits.idletimeout",
            Duration,
            "75s",
            "A connection on which nothing is asked for so long is ended",
        ),
        key(
            "jeroboam.limits.bodyrate",
            Size,
            "1KiB",
            "Bytes a second that a body has to come with, on the average of 30 seconds",
        ),
        key("jeroboam.limits.streams", Number, "128", "Requests at a time on one connection of HTTP/2"),
        key(
            "jeroboam.validation.sparseindex",
            Text,
            "deny",
            "Whether an index may name manifests that are not there: `allow` or `deny`",
        ),
        key(
            "jeroboam.delete.protectreferenced",
            Flag,
            "false",
            "Whether a manifest that an index or a referrer names cannot be deleted",
        ),
        key("jeroboam.page.enabled", Flag, "true", "Whether browsers get a page at `/`"),
        key("jeroboam.metrics.addr", Text, "", "An address for `/metrics`, beside `http.debug.addr`"),
        key(
            "jeroboam.log.format",
            Text,
            "oslo",
            "How lines look: `oslo` or `json`; `log.formatter: json` is the same as the latter",
        ),
    ],
};

pub(super) const COLLECTION: Chapter = Chapter {
    title: "Garbage collection and checks",
    about: "What runs beside serving. The same can be done by hand with `jeroboam registry gc` and `scrub`.",
    keys: &[
        later(key(
            "jeroboam.gc.enabled",
            Flag,
            "false",
            "Whether what nothing refers to is collected from time to time",
        )),
        later(key("jeroboam.gc.interval", Duration, "24h", "How often")),
        later(key("jeroboam.gc.grace", Duration, "24h", "How long something has to have been without any reference")),
        later(key(
            "jeroboam.gc.deleteuntagged",
            Flag,
            "false",
            "Whether manifests without a tag, that no other manifest refers to, go, too",
        )),
        later(key("jeroboam.gc.dryrun", Flag, "false", "Whether it is only told what would go")),
        later(key(
            "jeroboam.scrub.enabled",
            Flag,
            "false",
            "Whether stored bytes are compared with their digests from time to time",
        )),
        later(key("jeroboam.scrub.rate", Size, "8MiB", "Bytes a second that are read for it")),
    ],
};

pub(super) const POLICIES: Chapter = Chapter {
    title: "Namespaces, quotas and retention",
    about: "What belongs to whom, how much of it there may be, and how long it stays.",
    keys: &[
        key("jeroboam.namespaces[].prefix", Text, "", "Repositories of this name and below it"),
        key("jeroboam.namespaces[].project", Text, "", "belong to this project of Keystone, by id"),
        key("jeroboam.quotas[].prefix", Text, "", "Repositories of this name and below it; all without one"),
        key("jeroboam.quotas[].bytes", Size, "", "have together at most so many bytes"),
        key("jeroboam.quotas[].tags", Number, "", "and so many tags"),
        key(
            "jeroboam.quotas[].each",
            Flag,
            "false",
            "Whether that is for each namespace right below the prefix, such as those of projects, and not for all together; one that has a rule of its own is not meant",
        ),
        later(key("jeroboam.retention[].prefix", Text, "", "Repositories of this name and below it")),
        later(key("jeroboam.retention[].tags", Texts, "", "Patterns of tags that the rule is about; without any, all")),
        later(key("jeroboam.retention[].keep", Number, "", "The newest so many stay")),
        later(key("jeroboam.retention[].keepfor", Duration, "", "What is younger stays")),
        later(key("jeroboam.retention[].untagged", Duration, "", "Manifests without a tag go after so long")),
        key("jeroboam.immutable[].prefix", Text, "", "In repositories of this name and below it"),
        key(
            "jeroboam.immutable[].tags",
            Texts,
            "*",
            "tags that match one of these patterns are never moved, and not deleted by clients",
        ),
    ],
};

pub(super) const REPLICATION: Chapter = Chapter {
    title: "Other registries",
    about: "Registries that get what is pushed here, registries that are read through this one, and a cache on a node.",
    keys: &[
        key("jeroboam.origin", Text, "", "The name of this registry towards others, such as that of its region"),
        key(
            "jeroboam.replication.ack",
            Text,
            "local",
            "When a pushed manifest is acknowledged: `local`, `all` or `quorum`",
        ),
        key("jeroboam.replication.conflict", Text, "newest", "Which of two tags wins: `newest`, `primary` or `deny`"),
        key("jeroboam.replication.primary", Text, "", "The origin whose tags win with `primary`"),
        key("jeroboam.replication.interval", Duration, "10m", "How often the tags of both sides are compared"),
        key("jeroboam.replication.rate", Size, "", "Most bytes a second to each target"),
        key("jeroboam.replication.deletes", Flag, "false", "Whether deletes are replicated"),
        key(
            "jeroboam.replication.peers",
            Texts,
            "",
            "Accounts of the other regions here: only they are believed when a tag was moved; where everybody is let in, everybody is",
        ),
        key("jeroboam.replication.targets[].name", Text, "", "A name for the log, the metrics and the state"),
        key("jeroboam.replication.targets[].url", Text, "", "The other registry"),
        key("jeroboam.replication.targets[].username", Text, "", "Who pushes there"),
        key("jeroboam.replication.targets[].password", Secret, "", "The password"),
        key(
            "jeroboam.replication.targets[].passwordfile",
            Text,
            "",
            "A file with the password; read again when it changes",
        ),
        key("jeroboam.replication.targets[].prefixes", Texts, "", "Only repositories of these names and below them"),
        key("jeroboam.replication.targets[].cacert", Text, "", "The only authorities to believe, in PEM"),
        key("jeroboam.mirrors[].prefix", Text, "host", "Repositories below this name are read from there"),
        key("jeroboam.mirrors[].host", Text, "", "The registry that clients name in `ns=`"),
        key("jeroboam.mirrors[].url", Text, "", "The other registry"),
        key("jeroboam.mirrors[].username", Text, "", "Who asks there"),
        key("jeroboam.mirrors[].password", Secret, "", "The password"),
        key("jeroboam.mirrors[].passwordfile", Text, "", "A file with the password; read again when it changes"),
        key("jeroboam.mirrors[].ttl", Duration, "168h", "How long what was read is kept"),
        key("jeroboam.mirrors[].cacert", Text, "", "The only authorities to believe, in PEM"),
        key(
            "jeroboam.nodecache.directory",
            Text,
            "",
            "The registry is a cache on a node: it reads through to the store and keeps what it read here",
        ),
        key("jeroboam.nodecache.size", Size, "20GiB", "Most bytes of it"),
        key("jeroboam.nodecache.push", Flag, "true", "Whether pushes are taken, and go to the store"),
    ],
};
