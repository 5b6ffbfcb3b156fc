using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Platform.Tests;

internal sealed class RequestBodyTests
{
    private static readonly TextField Name = new("name", 1, 20) { Description = "d", Example = "\"a\"" };

    [Test]
    public async Task Given_a_pipe_that_uses_its_memory_again_as_soon_as_it_has_it_back_then_the_body_is_read_as_it_was_sent()
    {
        var http = new DefaultHttpContext();
        http.Request.ContentType = "application/json";
        var pipe = new ReusingPipe("""{"name":"as it was sent"}""");
        http.Features.Set<IRequestBodyPipeFeature>(pipe);
        http.Features.Set(Listener());
        using (RequestBody body = await RequestBody.ReadAsync(http))
        {
            Assert.That((body.Root.Read(Name), body.Refusal), Is.EqualTo(("as it was sent", (object?)null)));
            Assert.That(pipe.IsBack, Is.False);
        }

        Assert.That(pipe.IsBack, Is.True, "the memory goes back with the body");
    }

    [Test]
    public async Task Given_all_turns_are_taken_when_a_body_has_come_then_it_is_read_once_another_is_done_and_its_own_turn_goes_back_with_it()
    {
        ModuleListener listener = Listener();
        var bodies = new Queue<RequestBody>();
        for (int i = 0; i < Turns.AtOnce; i++) bodies.Enqueue(await ReadAsync(listener));
        ValueTask<RequestBody> late = ReadAsync(listener), later = ReadAsync(listener);
        Assert.That((late.IsCompleted, later.IsCompleted), Is.EqualTo((false, false)));
        bodies.Dequeue().Dispose();
        using (RequestBody body = await late) Assert.That((body.Root.Read(Name), later.IsCompleted), Is.EqualTo(("a", false)));
        (await later).Dispose();
        while (bodies.TryDequeue(out RequestBody? body)) body.Dispose();
    }

    [Test]
    public async Task Given_a_client_that_goes_away_while_it_waits_for_its_turn_then_its_memory_and_its_turn_go_back()
    {
        ModuleListener listener = Listener();
        var bodies = new Queue<RequestBody>();
        for (int i = 0; i < Turns.AtOnce; i++) bodies.Enqueue(await ReadAsync(listener));
        var pipe = new ReusingPipe("""{"name":"a"}""");
        ValueTask<RequestBody> gone = ReadAsync(listener, pipe, new CancellationToken(canceled: true)), next = ReadAsync(listener);
        bodies.Dequeue().Dispose();
        Assert.That(async () => await gone, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(pipe.IsBack, Is.True);
        (await next).Dispose();
        while (bodies.TryDequeue(out RequestBody? body)) body.Dispose();
    }

    private static ValueTask<RequestBody> ReadAsync(ModuleListener listener, ReusingPipe? pipe = null, CancellationToken aborted = default)
    {
        var http = new DefaultHttpContext { RequestAborted = aborted };
        http.Request.ContentType = "application/json";
        http.Features.Set<IRequestBodyPipeFeature>(pipe ?? new ReusingPipe("""{"name":"a"}"""));
        http.Features.Set(listener);
        return RequestBody.ReadAsync(http);
    }

    private static ModuleListener Listener() => new(new ModuleContext(new ModuleIdentity("test", "test-service", "Test", "Test.", 0),
        ShopSettings.Read(new ConfigurationBuilder().Build(), []), TimeProvider.System, NullLoggerFactory.Instance));

    private sealed class ReusingPipe(string content) : PipeReader, IRequestBodyPipeFeature
    {
        private readonly byte[] _memory = Encoding.UTF8.GetBytes(content);

        public bool IsBack { get; private set; }

        public PipeReader Reader => this;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(new ReadResult(new ReadOnlySequence<byte>(_memory), isCanceled: false, isCompleted: true));

        public override void AdvanceTo(SequencePosition consumed)
        {
            IsBack = true;
            _memory.AsSpan().Fill((byte)'x');
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => AdvanceTo(consumed);

        public override bool TryRead(out ReadResult result) => throw new NotSupportedException();

        public override void CancelPendingRead() => throw new NotSupportedException();

        public override void Complete(Exception? exception = null) => throw new NotSupportedException();
    }
}
