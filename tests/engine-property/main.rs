//! Random operations, faults and cancellations on all back ends against a model.
