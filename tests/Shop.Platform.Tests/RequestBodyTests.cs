using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Shop.Platform.Requests;

namespace Shop.Platform.Tests;

internal sealed class RequestBodyTests
{
    private static readonly TextField Name = new("name", 1, 20) { Description = "d", Example = "\"a\"" };

    [Test]
    public void Given_a_pipe_that_uses_its_memory_again_as_soon_as_it_has_it_back_then_the_body_is_read_as_it_was_sent()
    {
        var http = new DefaultHttpContext();
        http.Request.ContentType = "application/json";
        var pipe = new ReusingPipe("""{"name":"as it was sent"}""");
        http.Features.Set<IRequestBodyPipeFeature>(pipe);
        using (RequestBody body = RequestBody.Read(http))
        {
            Assert.That((body.Root.Read(Name), body.Refusal), Is.EqualTo(("as it was sent", (object?)null)));
            Assert.That(pipe.IsBack, Is.False);
        }

        Assert.That(pipe.IsBack, Is.True, "the memory goes back with the body");
    }

    private sealed class ReusingPipe(string content) : PipeReader, IRequestBodyPipeFeature
    {
        private readonly byte[] _memory = Encoding.UTF8.GetBytes(content);

        public bool IsBack { get; private set; }

        public PipeReader Reader => this;

        public override bool TryRead(out ReadResult result)
        {
            result = new ReadResult(new ReadOnlySequence<byte>(_memory), isCanceled: false, isCompleted: true);
            return true;
        }

        public override void AdvanceTo(SequencePosition consumed)
        {
            IsBack = true;
            _memory.AsSpan().Fill((byte)'x');
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => AdvanceTo(consumed);

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public override void CancelPendingRead() => throw new NotSupportedException();

        public override void Complete(Exception? exception = null) => throw new NotSupportedException();
    }
}
