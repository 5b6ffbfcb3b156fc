using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Platform.Tests;

internal sealed class WriteConcurrencyMiddlewareTests
{
    private Channel<Work> _begun = null!;
    private StoppedClock _clock = null!;
    private ModuleListener _listener = null!;
    private int _tooLate;

    [SetUp]
    public void Listen()
    {
        _begun = Channel.CreateUnbounded<Work>();
        _clock = new StoppedClock();
        _tooLate = 0;
        _listener = new ModuleListener(new ModuleContext(new ModuleIdentity("test", "test-service", "Test", "Test.", 0),
            ShopSettings.Read(new ConfigurationBuilder().Build(), []), _clock, NullLoggerFactory.Instance));
    }

    [Test]
    public async Task Given_all_turns_are_taken_when_more_ask_then_each_is_worked_on_once_another_is_done_in_the_order_they_came()
    {
        Queue<Work> work = await TakeAllTurnsAsync();
        Task<HttpStatusCode>[] line = [AskAsync("/first"), AskAsync("/second")];
        foreach (string expected in new[] { "/first", "/second" })
        {
            Assert.That(_begun.Reader.TryPeek(out _), Is.False);
            work.Dequeue().Finish();
            Work next = await _begun.Reader.ReadAsync();
            Assert.That(next.Path, Is.EqualTo(expected));
            work.Enqueue(next);
        }

        while (work.TryDequeue(out Work? done)) done.Finish();
        Assert.That(await Task.WhenAll(line), Is.All.EqualTo(HttpStatusCode.NoContent));
        await TakeAllTurnsAsync(); // all are back
    }

    [Test]
    public async Task Given_requests_whose_bodies_do_not_come_then_none_of_them_keeps_a_turn_from_another()
    {
        var never = new TaskCompletionSource<IResult?>();
        for (int i = 0; i < WriteConcurrencyLimiter.PermitLimit; i++)
            _ = AskAsync("/slow", arrive: _ => new(never.Task));
        await TakeAllTurnsAsync();
    }

    [Test]
    public async Task Given_all_turns_are_taken_when_what_a_request_brings_is_not_taken_then_it_is_answered_at_once()
    {
        await TakeAllTurnsAsync();
        Assert.That(await AskAsync("/wrong", arrive: _ => new(new Problem(415, "No."))),
            Is.EqualTo(HttpStatusCode.UnsupportedMediaType));
    }

    [Test]
    public async Task Given_a_client_that_goes_away_in_line_when_its_turn_comes_then_nothing_is_done_and_the_next_has_it()
    {
        Queue<Work> work = await TakeAllTurnsAsync();
        Task gone = AskAsync("/gone", aborted: new CancellationToken(canceled: true)), next = AskAsync("/next");
        work.Dequeue().Finish();
        Assert.That(async () => await gone, Throws.InstanceOf<OperationCanceledException>());
        Work begun = await _begun.Reader.ReadAsync();
        Assert.That(begun.Path, Is.EqualTo("/next"));
        begun.Finish();
        await next;
    }

    [Test]
    public async Task Given_a_turn_that_comes_later_than_a_request_may_take_then_503_which_the_route_is_told_and_nothing_is_done()
    {
        Queue<Work> work = await TakeAllTurnsAsync();
        Task<HttpStatusCode> late = AskAsync("/late");
        _clock.Pass(_listener.Module.Settings.RequestTimeout + TimeSpan.FromMilliseconds(1));
        work.Dequeue().Finish();
        Assert.That((await late, _tooLate), Is.EqualTo((HttpStatusCode.ServiceUnavailable, 1)));
        Assert.That(_begun.Reader.TryPeek(out _), Is.False);
    }

    [Test]
    public async Task Given_a_turn_that_comes_just_as_late_as_a_request_may_take_then_its_work_is_done()
    {
        Queue<Work> work = await TakeAllTurnsAsync();
        Task<HttpStatusCode> inTime = AskAsync("/in-time");
        _clock.Pass(_listener.Module.Settings.RequestTimeout);
        work.Dequeue().Finish();
        (await _begun.Reader.ReadAsync()).Finish();
        Assert.That((await inTime, _tooLate), Is.EqualTo((HttpStatusCode.NoContent, 0)));
    }

    [Test]
    public async Task Given_a_line_that_has_become_too_slow_when_another_asks_then_429()
    {
        await TakeAllTurnsAsync();
        _ = AskAsync("/first");
        _clock.Pass(WriteConcurrencyLimiter.MaxQueueDelay + TimeSpan.FromMilliseconds(1));
        Assert.That(await AskAsync("/second"), Is.EqualTo(HttpStatusCode.TooManyRequests));
    }

    [Test]
    public async Task Given_work_that_fails_then_its_turn_goes_to_the_next()
    {
        Queue<Work> work = await TakeAllTurnsAsync();
        _ = AskAsync("/next");
        work.Dequeue().Fail();
        Assert.That((await _begun.Reader.ReadAsync()).Path, Is.EqualTo("/next"));
    }

    [TestCase("gone")]
    [TestCase("late")]
    [TestCase("refused")]
    public async Task Given_a_request_with_a_body_when_it_is_not_worked_on_then_its_body_goes_back_to_the_server(
        string why)
    {
        Queue<Work> work = await TakeAllTurnsAsync();
        if (why == "refused")
        {
            _ = AskAsync("/first");
            _clock.Pass(WriteConcurrencyLimiter.MaxQueueDelay + TimeSpan.FromMilliseconds(1));
        }

        var body = new Pipe();
        await body.Writer.WriteAsync("{}"u8.ToArray());
        await body.Writer.CompleteAsync();
        Task asked = AskAsync("/with-body", RequestBody.ArriveAsync, body.Reader,
            new CancellationToken(canceled: why == "gone"));
        if (why == "late") _clock.Pass(_listener.Module.Settings.RequestTimeout + TimeSpan.FromMilliseconds(1));
        work.Dequeue().Finish();
        await asked.ContinueWith(static _ => { }, TaskScheduler.Default); // however it ends

        Assert.That(body.Reader.TryRead(out ReadResult rest) && rest.IsCompleted && rest.Buffer.IsEmpty, Is.True);
    }

    private async Task<Queue<Work>> TakeAllTurnsAsync()
    {
        var work = new Queue<Work>();
        for (int i = 0; i < WriteConcurrencyLimiter.PermitLimit; i++)
        {
            _ = AskAsync("/early");
            work.Enqueue(await _begun.Reader.ReadAsync());
        }

        return work;
    }

    private async Task<HttpStatusCode> AskAsync(
        string path, Func<HttpContext, ValueTask<IResult?>>? arrive = null, PipeReader? body = null,
        CancellationToken aborted = default)
    {
        var http = new DefaultHttpContext { RequestAborted = aborted };
        if (body is not null)
        {
            http.Request.ContentType = "application/json";
            http.Features.Set<IRequestBodyPipeFeature>(new Body(body));
        }

        http.Request.Path = path;
        http.Features.Set(_listener);
        await new WriteConcurrencyMiddleware(_listener, arrive ?? (static _ => default), WorkAsync,
            () => _tooLate++).AnswerAsync(http);
        return (HttpStatusCode)http.Response.StatusCode;
    }

    private async ValueTask<IResult> WorkAsync(HttpContext http)
    {
        var work = new Work(http.Request.Path);
        _begun.Writer.TryWrite(work);
        await work.Task;
        return NoContent.Done;
    }

    private sealed class Body(PipeReader reader) : IRequestBodyPipeFeature
    {
        public PipeReader Reader { get; } = reader;
    }

    private sealed class Work(string path)
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Path { get; } = path;

        public Task Task => _done.Task;

        public void Finish() => _done.SetResult();

        public void Fail() => _done.SetException(new InvalidOperationException("no"));
    }
}
