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
