"""Prints what Magnum gives to the bus for a cluster: magnum_notification.py <action> <outcome> <cluster.json>.

The file holds the columns of the cluster under "cluster", its groups under "groups", and the caller under "caller" (or null).
"""
import datetime
import json
import logging
import sys
import types

logging.disable(logging.CRITICAL)

import magnum.conf  # noqa: E402
from magnum.common import context  # noqa: E402
from magnum.common import rpc  # noqa: E402
from oslo_messaging.notify import notifier  # noqa: E402

action, outcome, path = sys.argv[1:]
with open(path) as file:
    given = json.load(file)
CONF = magnum.conf.CONF
rpc.set_defaults(control_exchange='magnum')
CONF([], project='magnum', default_config_files=[])
CONF.register_opts(notifier._notifier_opts, group='oslo_messaging_notifications')
rpc.init(CONF)
CONF.set_override('driver', ['messagingv2'], group='oslo_messaging_notifications')
CONF.set_override('transport_url', 'kombu+memory:////')
CONF.set_override('host', 'node-1')
rpc.cleanup()
rpc.init(CONF)

import oslo_messaging._drivers.impl_rabbit as rabbit  # noqa: E402
from magnum.conductor import utils  # noqa: E402
from magnum import objects  # noqa: E402


def take(self, exchange, topic, message, retry=None, **kwargs):
    print(json.dumps({'exchange': exchange, 'topic': topic, 'message': json.loads(message['oslo.message'])}))


rabbit.Connection.notify_send = take
columns = given['cluster']
for name in ('created_at', 'updated_at'):
    if columns.get(name):
        columns[name] = datetime.datetime.fromisoformat(columns[name])
groups = [types.SimpleNamespace(**group) for group in given['groups']]
objects.Cluster.nodegroups = property(lambda cluster: groups)
cluster = objects.Cluster(context=None, **columns)
if given['caller']:
    who = context.RequestContext(auth_token='very-secret', is_admin=False, **given['caller'])
else:
    who = context.make_admin_context(all_tenants=True)
utils.notify_about_cluster_operation(who, action, outcome, cluster)
