using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Shop.Platform.Live;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>Demo traffic on a clock that goes on only when it is told to.</summary>
internal sealed class DemoTrafficTests
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    [Test]
    public async Task Given_a_shop_that_does_not_answer_for_a_while_when_it_answers_again_then_it_gets_the_rate_and_no_more()
    {
        // Connections are made, but nobody accepts them.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start(backlog: 500);
        var service = new Uri($"http://{silent.LocalEndpoint}");
        var clock = new ManualClock();
        using var log = new CountingLog();
        int sent = 0;
        await using var traffic = new DemoTraffic([], clock, log)
        {
            Source = () =>
            {
                Interlocked.Increment(ref sent);
                return (service, new DemoRequest(HttpMethod.Get, "/"));
            },
        };
        traffic.Start(500, null);
        await clock.PassAsync(TimeSpan.FromSeconds(10));
        await Eventually.IsSoAsync(() => Volatile.Read(ref sent) == 100); // as many as may be under way
        silent.Stop();
        await Eventually.IsSoAsync(() => log.Warnings == 100);

        // One that was due, and ten with each tick.
        for (int wanted = 111; wanted <= 131; wanted += 10)
        {
            await clock.PassAsync(Tick);
            await Eventually.IsSoAsync(() => Volatile.Read(ref sent) >= wanted);
            Assert.That(Volatile.Read(ref sent), Is.EqualTo(wanted));
        }
    }

    // By hand: three a second for ten seconds, then thirty. Two seconds later, the last five had 9 and 60.
    [Test]
    public async Task Given_a_rate_that_changes_then_what_was_wanted_is_that_of_the_last_five_seconds()
    {
        var clock = new ManualClock();
        using var log = new CountingLog();
        int sent = 0;
        await using var traffic = new DemoTraffic([], clock, log)
        {
            Source = () =>
            {
                Interlocked.Increment(ref sent);
                return (new Uri("http://127.0.0.1:1"), new DemoRequest(HttpMethod.Get, "/")); // nobody is there
            },
        };
        traffic.Start(3, null);
        Assert.That((traffic.State!.Wanted, traffic.State.Answered), Is.EqualTo(((double?)null, (double?)null)));
        double?[] expected = [null, 3, 3, 3, 3, 3, 3, 3, 3, 3, 8.4, 13.8, 19.2, 24.6, 30, 30];
        int due = 0;
        for (int second = 1; second <= expected.Length; second++)
        {
            if (second == 11) traffic.Start(30, null);
            due += second < 11 ? 3 : 30;
            await clock.PassAsync(TimeSpan.FromSeconds(1));
            await Eventually.IsSoAsync(() => Volatile.Read(ref sent) == due && log.Warnings == due);
            double? wanted = traffic.State!.Wanted;
            Assert.That(wanted is null ? wanted : Math.Round(wanted.Value, 3), Is.EqualTo(expected[second - 1]),
                $"{second} s");
        }

        Assert.That(traffic.State!.Answered, Is.Zero);
    }

    private sealed class CountingLog : ILoggerFactory, ILogger
    {
        private int _warnings;

        public int Warnings => Volatile.Read(ref _warnings);

        public ILogger CreateLogger(string categoryName) => this;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Warning) Interlocked.Increment(ref _warnings);
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
            // It holds nothing.
        }
    }
}
