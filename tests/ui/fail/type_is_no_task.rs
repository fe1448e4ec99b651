struct Send;

fn later(_: pushe_tasks::Schedule<Send>) {}

fn main() {}
