//! Who may do what.

use super::Kind::{Duration, Flag, Free, Number, Text, Texts};
use super::{Chapter, Key, key};

pub(super) const AUTH: Chapter = Chapter {
    title: "Authentication",
    about: "distribution takes one section below `auth`; here there may be several, and whoever one of them knows is let in. A section that \
            names none of them is refused. Without the section everybody is let in, and the registry starts on loopback addresses alone unless `jeroboam.insecureopen` says that this is meant.",
    keys: &[
        key("auth.none", Free, "", "Says in words that everybody is let in"),
        key(
            "auth.silly.realm",
            Text,
            "",
            "distribution's method for tests: whoever sends any `Authorization` is let in",
        ),
        key("auth.silly.service", Text, "", "The service in its challenges"),
        key("auth.htpasswd.realm", Text, "", "What a client shows when it asks for a password"),
        key(
            "auth.htpasswd.path",
            Text,
            "",
            "A file of `name:hash` lines, with bcrypt or Argon2id; read again when it changes, and never made by the registry",
        ),
        key(
            "auth.htpasswd.rules[].names",
            Texts,
            "",
            "Users of the file whom the rule is about; `*` for all. Without any rule, every user may do everything",
        ),
        key("auth.htpasswd.rules[].prefixes", Texts, "", "Repositories of these names and below them; `*` for all"),
        key(
            "auth.htpasswd.rules[].actions",
            Texts,
            "",
            "What they may do there: `pull`, `push`, `delete`, and with the prefix `*` also `catalog`",
        ),
        key(
            "auth.certificates.rules[].names",
            Texts,
            "",
            "Common names, or whole subjects, of clients' certificates; `*` for all. Without any rule, a certificate lets nobody do anything",
        ),
        key("auth.certificates.rules[].prefixes", Texts, "", "Repositories of these names and below them; `*` for all"),
        key("auth.certificates.rules[].actions", Texts, "", "What they may do there"),
        key(
            "auth.anonymous.pull",
            Texts,
            "",
            "Prefixes of repositories, such as `public/`, that anybody may pull; `*` for all",
        ),
        key(
            "auth.limits.failures",
            Number,
            "10",
            "Failed log-ins of one user from one address in a minute, after which further ones are refused unseen; the same wrong password counts once",
        ),
        key(
            "auth.limits.tokens",
            Number,
            "10",
            "Requests for tokens from one address in a second, on the average; after a pause ten times as many may come at once",
        ),
        key("auth.limits.hashing", Number, "number of processors", "Passwords that are hashed at a time"),
    ],
};

pub(super) const TOKEN: Chapter = Chapter {
    title: "Tokens of another server",
    about: "`auth.token`, as distribution has it: somebody else makes tokens, the registry believes them.",
    keys: &[
        key("auth.token.realm", Text, "", "Where clients get tokens"),
        key("auth.token.service", Text, "", "The name of this registry in tokens: their `aud`"),
        key("auth.token.issuer", Text, "", "Who makes tokens: their `iss`"),
        key(
            "auth.token.rootcertbundle",
            Text,
            "",
            "Certificates in PEM whose keys sign tokens, or sign the certificates of such keys; read again when it changes",
        ),
        key("auth.token.jwks", Text, "", "A file with a JSON Web Key Set; read again when it changes"),
        key(
            "auth.token.signingalgorithms",
            Texts,
            "EdDSA, RS256, RS384, RS512, ES256, ES384, PS256, PS384, PS512",
            "The algorithms of signatures that are believed",
        ),
        key("auth.token.leeway", Duration, "60s", "How far clocks may be apart"),
        key(
            "auth.token.autoredirect",
            Flag,
            "false",
            "Whether clients get tokens at the address that they reach the registry by, and not at `realm`",
        ),
        key("auth.token.autoredirectpath", Text, "/auth/token", "Under which path there"),
    ],
};

pub(super) const BUILTIN: Chapter = Chapter {
    title: "Tokens of this registry",
    about: "`auth.builtin`: the registry makes tokens itself, at `/auth/token`, for whomever `htpasswd` or `keystone` knows. It is there as soon as \
            `keystone` is.",
    keys: &[
        key(
            "auth.builtin.realm",
            Text,
            "/auth/token of this registry",
            "Where clients get tokens, if it is another address than that of the request",
        ),
        key("auth.builtin.service", Text, "the host of the request", "The name of this registry in tokens"),
        key("auth.builtin.issuer", Text, "jeroboam", "Who makes tokens"),
        key(
            "auth.builtin.key",
            Text,
            "",
            "An Ed25519 key in PEM, the same in all registries that share a name; without it one is made at each start, and tokens end with the process",
        ),
        key(
            "auth.builtin.ttl",
            Duration,
            "5m",
            "How long a token lives; at least 60s. One of a user of Keystone lives for 5m at most, and no longer than what Keystone gave",
        ),
        key("auth.builtin.refreshttl", Duration, "720h", "How long a refresh token lives"),
        key(
            "auth.builtin.refreshtokens",
            Text,
            "",
            "A directory in which hashes of refresh tokens are kept, made where it is not there; unless set none are given",
        ),
    ],
};

pub(super) const KEYSTONE: Chapter = Chapter {
    title: "Keystone",
    about: "`auth.keystone`: `docker login` with a user of OpenStack as `user@domain/project@domain`, with `applicationcredential-ID`, or with a \
            token as the password of `$token`.",
    keys: KEYSTONE_KEYS,
};

const KEYSTONE_KEYS: &[Key] = &[
    key("auth.keystone.url", Text, "", "Keystone, with or without `/v3`"),
    key("auth.keystone.region", Text, "", "The region, for whatever is asked of its catalogue"),
    key("auth.keystone.cacert", Text, "", "The only authorities to believe, in PEM"),
    key("auth.keystone.insecure", Flag, "false", "Whether any certificate is believed"),
    key("auth.keystone.timeout", Duration, "10s", "How long an answer is waited for"),
    key("auth.keystone.cachettl", Duration, "60s", "How long a log-in is remembered"),
    key("auth.keystone.negativettl", Duration, "5s", "How long a log-in that failed is remembered"),
    key(
        "auth.keystone.staleok",
        Duration,
        "15m",
        "While Keystone does not answer, who was let in before may go on pulling for so long",
    ),
    key(
        "auth.keystone.namespaces",
        Text,
        "project-id",
        "How projects and repositories belong together: `project-id` gives `p-<id>/` to each, `none` gives only what `jeroboam.namespaces` says",
    ),
    key(
        "auth.keystone.pull",
        Texts,
        "reader, member, manager, admin",
        "Roles in a project that may pull of what is the project's",
    ),
    key("auth.keystone.push", Texts, "member, manager, admin", "Roles that may push"),
    key("auth.keystone.delete", Texts, "manager, admin", "Roles that may delete"),
    key(
        "auth.keystone.all",
        Texts,
        "",
        "Roles that may do everything everywhere when they are held in `allprojects` or in the whole system",
    ),
    key("auth.keystone.allprojects", Texts, "", "Projects, by id, whose `all` roles count everywhere"),
];
