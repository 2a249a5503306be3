//! oslo.config and oslo.policy as Python reads them, microversion headers and the oslo.log line.
