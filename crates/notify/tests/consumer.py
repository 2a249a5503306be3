"""Prints each notification that oslo.messaging hands to a consumer, one JSON object to a line, until so many have come."""
import json
import sys
import threading

import oslo_messaging
from oslo_config import cfg

url, exchange, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
conf = cfg.ConfigOpts()
conf([], default_config_files=[])
left, done = [count], threading.Event()
# The executor hands out from several threads: a line is written by one of them at a time.
lock = threading.Lock()


class Endpoint:
    def take(self, priority, ctxt, publisher_id, event_type, payload, metadata):
        line = json.dumps({
            'priority': priority, 'context': ctxt, 'publisher_id': publisher_id, 'event_type': event_type,
            'payload': payload, 'metadata': metadata})
        with lock:
            print(line, flush=True)
            left[0] -= 1
            if left[0] == 0:
                done.set()

    def info(self, *arguments):
        self.take('info', *arguments)

    def error(self, *arguments):
        self.take('error', *arguments)


transport = oslo_messaging.get_notification_transport(conf, url=url)
conf.set_override('amqp_durable_queues', True, group='oslo_messaging_rabbit')
target = oslo_messaging.Target(exchange=exchange, topic='notifications')
listener = oslo_messaging.get_notification_listener(transport, [target], [Endpoint()], executor='threading')
listener.start()
done.wait(60)
listener.stop()
listener.wait()
sys.exit(0 if done.is_set() else 1)
