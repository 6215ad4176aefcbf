import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.DelayQueue;
import java.util.concurrent.Delayed;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The measure "life" on what the JDK has: insert all, cancel 80 % at random, pop the rest. Prints one JSON object.
 * Times are CPU times of the thread that does it: neighbours on the machine count little, and the JDK's collector and
 * compiler, which run beside it, not at all.
 */
public final class JdkTimers {
    static final int SPAN = 1_800_000;
    static final long BUDGET_NANOS = 5_000_000_000L;
    static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    static volatile long now;

    static long cpu() { return THREADS.getCurrentThreadCpuTime(); }

    record Item(long when) implements Delayed {
        public long getDelay(TimeUnit unit) { return unit.convert(when - now, TimeUnit.MILLISECONDS); }
        public int compareTo(Delayed other) { return Long.compare(when, ((Item) other).when); }
        public boolean equals(Object other) { return this == other; }
        public int hashCode() { return System.identityHashCode(this); }
    }

    static long used() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    static String row(int pending, long began, long inserted, long bytes, long cancelling, long cancelled, int gone,
                      long popping, long popped, int rest) {
        return String.format("{\"insert\": %d, \"cancel\": %d, \"pop\": %d, \"bytes\": %d}", (inserted - began) / pending,
            (cancelled - cancelling) / Math.max(gone, 1), (popped - popping) / Math.max(rest, 1), bytes / pending);
    }

    static String executor(int pending, Random random) throws Exception {
        var executor = new ScheduledThreadPoolExecutor(1);
        executor.setRemoveOnCancelPolicy(true);
        List<Future<?>> futures = new ArrayList<>(pending);
        long before = used(), began = cpu();
        for (int i = 0; i < pending; i++)  // an hour ahead: nothing fires by itself
            futures.add(executor.schedule(() -> { }, 3_600_000L + random.nextInt(SPAN), TimeUnit.MILLISECONDS));
        long inserted = cpu(), bytes = used() - before;
        Collections.shuffle(futures, random);
        int gone = pending * 4 / 5;
        long cancelling = cpu();
        for (int i = 0; i < gone; i++) futures.get(i).cancel(false);
        long cancelled = cpu();
        var queue = executor.getQueue();
        long popping = cpu();
        Runnable head;
        while ((head = queue.peek()) != null) queue.remove(head);
        long popped = cpu();
        executor.shutdownNow();
        return row(pending, began, inserted, bytes, cancelling, cancelled, gone, popping, popped, pending - gone);
    }

    static String delayQueue(int pending, Random random) {
        var queue = new DelayQueue<Item>();
        List<Item> items = new ArrayList<>(pending);
        now = 0;
        long before = used(), began = cpu();
        for (int i = 0; i < pending; i++) {
            var item = new Item(1 + random.nextInt(SPAN));
            items.add(item);
            queue.add(item);
        }
        long inserted = cpu(), bytes = used() - before;
        Collections.shuffle(items, random);
        int gone = 0;
        long cancelling = cpu(), cancelled = cancelling;
        while (gone < pending * 4 / 5 && cancelled - cancelling < BUDGET_NANOS / 5) {  // each is a search
            queue.remove(items.get(gone++));
            cancelled = cpu();
        }
        int rest = queue.size();
        now = 2L * SPAN;
        long popping = cpu();
        while (queue.poll() != null) { }
        long popped = cpu();
        return row(pending, began, inserted, bytes, cancelling, cancelled, gone, popping, popped, rest);
    }

    static String timer(int pending, Random random) throws Exception {
        var timer = new Timer(true);
        var go = new CountDownLatch(1);
        var busy = new CountDownLatch(1);
        var started = new long[1];  // on the timer's own clock, for it is its thread that pops
        timer.schedule(task(() -> { busy.countDown(); await(go); started[0] = cpu(); }), 0);
        busy.await();  // its thread waits in a task, so that nothing fires while we insert
        List<TimerTask> tasks = new ArrayList<>(pending);
        long base = System.currentTimeMillis() - 2L * SPAN;
        long before = used(), began = cpu();
        for (int i = 0; i < pending; i++) {
            var task = task(() -> { });
            tasks.add(task);
            timer.schedule(task, new java.util.Date(base + random.nextInt(SPAN)));
        }
        long inserted = cpu(), bytes = used() - before;
        Collections.shuffle(tasks, random);
        int gone = pending * 4 / 5;
        long cancelling = cpu();
        for (int i = 0; i < gone; i++) tasks.get(i).cancel();
        long cancelled = cpu();
        var done = new CountDownLatch(1);
        var popped_at = new long[1];
        timer.schedule(task(() -> { popped_at[0] = cpu(); done.countDown(); }), new java.util.Date(base + SPAN));
        go.countDown();
        done.await();
        long popping = started[0], popped = popped_at[0];
        timer.cancel();
        return row(pending, began, inserted, bytes, cancelling, cancelled, gone, popping, popped, pending - gone);
    }

    static void await(CountDownLatch latch) {
        try { latch.await(); } catch (InterruptedException error) { throw new IllegalStateException(error); }
    }

    static TimerTask task(Runnable body) {
        return new TimerTask() { public void run() { body.run(); } };
    }

    public static void main(String[] words) throws Exception {
        int pending = Integer.parseInt(words[1]);
        String last = "";
        for (int round = 0; round < 3; round++) {  // the third time the JIT has done its work
            var random = new Random(1);
            last = switch (words[0]) {
                case "jdk-executor" -> executor(pending, random);
                case "jdk-delay-queue" -> delayQueue(pending, random);
                default -> timer(pending, random);
            };
        }
        System.out.println(last);
    }
}
