use pushe_tasks::Task;

struct Send;

fn later<T: Task>() {}

fn main() {
    later::<Send>();
}
