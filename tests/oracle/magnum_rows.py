#!/usr/bin/env python
"""Magnum 23 itself, on a database that ours shares: its alembic, its objects and its API.

usage: magnum_rows.py DATABASE-URL COMMAND [ARGUMENT]

  upgrade [REVISION]   Magnum's own alembic, up to the revision or to its head
  tables               Magnum's own models make the tables, where its alembic can't (PostgreSQL), and stamp the head
  write                creates what stdin names, {"Cluster": [{field: value}]}, and prints it as `read` does
  save                 sets fields of rows that are there, {"Cluster": {uuid: {field: value}}}, through the object's own save()
  read                 prints every row of every object, every field
  insert               puts what stdin names into the tables of an older Magnum, {"Cluster": [{column: value}]}, and prints it as `dump` does
  dump                 prints every row of Magnum's tables, whatever its revision, as it is stored
  get                  sends GET requests, {"headers": {}, "paths": []}, to Magnum's WSGI application, and prints the answers

Everything on stdin and stdout is JSON; what Magnum logs goes to stderr.
"""

import io
import json
import logging
import sys

from oslo_config import cfg
from oslo_log import log
from oslo_utils import timeutils

from magnum.common import config
from magnum.common import context
import magnum.conf
from magnum.db import api as dbapi
from magnum.db import migration
from magnum import objects

CONF = magnum.conf.CONF
TABLES = {"ClusterTemplate": "cluster_template", "Cluster": "cluster", "NodeGroup": "nodegroup", "X509KeyPair": "x509keypair",
          "Quota": "quotas", "MagnumService": "magnum_service", "Federation": "federation"}
KINDS = list(TABLES)


def plain(value):
    """What JSON can say of a field's value."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def fields_of(obj):
    skipped = {"cluster_template"}
    return {name: plain(getattr(obj, name)) for name in sorted(obj.fields) if name not in skipped}


def rows(admin, kind):
    cls = getattr(objects, kind)
    if kind == "NodeGroup":
        found = []
        for cluster in objects.Cluster.list(admin):
            found += objects.NodeGroup.list(admin, cluster.uuid)
        return found
    return cls.list(admin)


def read(admin):
    return {kind: [fields_of(obj) for obj in rows(admin, kind)] for kind in KINDS}


def write(admin, wanted):
    for kind in KINDS:
        for values in wanted.get(kind, []):
            getattr(objects, kind)(admin, **values).create()
    return read(admin)


def save(admin, wanted):
    for kind, changes in wanted.items():
        for obj in rows(admin, kind):
            values = changes.get(obj.uuid)
            if values is None:
                continue
            for name, value in values.items():
                setattr(obj, name, value)
            obj.save()
    return read(admin)


def stored():
    """Magnum's tables as they are, which may be of an older revision than the models."""
    from oslo_db.sqlalchemy import enginefacade
    from sqlalchemy import MetaData

    engine, found = enginefacade.writer.get_engine(), MetaData()
    found.reflect(engine, only=lambda name, _: not name.startswith("jeroboam_"))
    return engine, found.tables


def insert(wanted):
    engine, found = stored()
    with engine.begin() as connection:
        for kind, all_values in wanted.items():
            table = found[TABLES[kind]]
            for values in all_values:
                values = {name: json.dumps(value) if isinstance(value, (dict, list)) else value
                          for name, value in values.items() if name in table.columns}
                connection.execute(table.insert().values(created_at=timeutils.utcnow(), **values))
    return dump()


def dump():
    engine, found = stored()
    with engine.connect() as connection:
        return {name: [{column: plain(value) for column, value in row.items()}
                       for row in connection.execute(table.select().order_by(*table.primary_key.columns)).mappings()]
                for name, table in found.items()}


def tables():
    from oslo_db.sqlalchemy import enginefacade

    from magnum.db.sqlalchemy import models
    models.Base.metadata.create_all(enginefacade.writer.get_engine())
    migration.stamp("head")


def application():
    from magnum.api import app
    return app.setup_app()


def get(app, path, headers):
    bare, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": bare, "QUERY_STRING": query,
        "SERVER_NAME": "magnum", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
        "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": True,
    }
    environ.update({"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()})
    answer = {}

    def start_response(status, _headers, _exc_info=None):
        answer["status"] = int(status.split()[0])

    body = b"".join(app(environ, start_response))
    try:
        answer["body"] = json.loads(body)
    except ValueError:
        answer["body"] = body.decode(errors="replace")
    return answer


def main():
    url, command, *rest = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    log.register_options(CONF)
    config.parse_args([sys.argv[0]], default_config_files=[])
    CONF.set_override("connection", url, group="database")
    CONF.set_override("transport_url", "fake://")
    # In a fresh process there is nobody to have asked Keystone who an administrator is.
    admin = context.make_admin_context(all_tenants=True)
    dbapi.get_instance()
    out = {}
    if command == "upgrade":
        migration.upgrade(rest[0] if rest else None)
        out = {"revision": migration.version()}
    elif command == "tables":
        tables()
        out = {"revision": migration.version()}
    elif command == "read":
        out = read(admin)
    elif command == "dump":
        out = dump()
    elif command == "insert":
        out = insert(json.load(sys.stdin))
    elif command in ("write", "save"):
        out = {"write": write, "save": save}[command](admin, json.load(sys.stdin))
    elif command == "get":
        wanted, app = json.load(sys.stdin), application()
        out = {path: get(app, path, wanted["headers"]) for path in wanted["paths"]}
    else:
        raise SystemExit(__doc__)
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    try:
        main()
    except cfg.Error as error:
        raise SystemExit(f"error: {error}")
