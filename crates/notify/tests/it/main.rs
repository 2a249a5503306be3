//! Notifications on the way: a real RabbitMQ, a Python consumer, outages.

mod bus;
mod consumer;
mod outages;
mod samples;
