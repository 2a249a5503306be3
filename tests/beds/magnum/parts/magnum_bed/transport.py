"""A message bus inside the process: the conductor has done its work before the API goes on.

What is sent crosses it as it would cross a real bus: contexts and messages as JSON, errors as oslo.messaging carries them.
A cast waits as well, so that the same requests in the same order always leave the same rows.
"""
import queue

from oslo_messaging._drivers import base
from oslo_messaging._drivers import common
from oslo_serialization import jsonutils


class Message(base.RpcIncomingMessage):

    def __init__(self, ctxt, message):
        super().__init__(ctxt, message)
        self.answer = queue.Queue()

    def reply(self, reply=None, failure=None):
        failure = common.serialize_remote_exception(failure) if failure else None
        self.answer.put((jsonutils.dumps(reply), failure))

    def requeue(self):
        raise NotImplementedError('nothing here asks for a message again')

    def heartbeat(self):
        pass


class Listener(base.Listener):

    def stop(self):
        self.on_incoming_callback = None

    def cleanup(self):
        pass


class Inline(base.BaseDriver):

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.listener = None

    def require_features(self, requeue=False):
        pass

    def listen(self, target, batch_size, batch_timeout):
        self.listener = Listener(batch_size, batch_timeout)
        return self.listener

    def send(self, target, ctxt, message, wait_for_reply=None, timeout=None, **_kwargs):
        message = Message(jsonutils.loads(jsonutils.dumps(ctxt)), jsonutils.loads(jsonutils.dumps(message)))
        self.listener.on_incoming_callback([message])
        # Longer than a real bus would wait: a machine that is busy with something else makes keys slowly.
        reply, failure = message.answer.get(timeout=600)
        if not wait_for_reply:
            return None
        if failure:
            raise common.deserialize_remote_exception(failure, self._allowed_remote_exmods)
        return jsonutils.loads(reply)

    def send_notification(self, target, ctxt, message, version, retry=None):
        pass

    def listen_for_notifications(self, *args, **kwargs):
        raise NotImplementedError('nobody listens to notifications here')

    def cleanup(self):
        self.listener = None
