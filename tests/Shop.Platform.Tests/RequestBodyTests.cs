using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Shop.Platform.OpenApi;
using Shop.Platform.Requests;

namespace Shop.Platform.Tests;

internal sealed class RequestBodyTests
{
    private static readonly TextField Name =
        new("name", 1, 20) { Description = "d", Example = "\"a\"", IsRequired = true };

    [Test]
    public void Given_a_pipe_that_uses_its_memory_again_as_soon_as_it_has_it_back_then_the_body_is_read_as_it_was_sent()
    {
        var pipe = new ReusingPipe("""{"name":"as it was sent"}""");
        using (RequestBody body = RequestBody.Read(RequestOf(pipe, new JsonRequestBody("Thing", [Name]))))
        {
            Assert.That((body.Root.Read(Name), body.Error), Is.EqualTo(("as it was sent", (object?)null)));
            Assert.That(pipe.IsBack, Is.False);
        }

        Assert.That(pipe.IsBack, Is.True, "the memory goes back with the body");
    }

    [TestCase("", "it is empty")]
    [TestCase("{\"name\":\"a\"",
        "it ends too early, at line 1, column 12: the object that begins at line 1, column 1 has no closing '}'")]
    [TestCase("{\n \"name\": [1,\n  2",
        "it ends too early, at line 3, column 4: the list that begins at line 2, column 10 has no closing ']'")]
    [TestCase("{\n \"nämé\": \"a", "the text that begins at line 2, column 10 has no closing '\"'")]
    [TestCase("{\"nämé\" 1}", "at line 1, column 9")]
    [TestCase("{\n\"name\": 1,}", "trailing comma at the end, at line 2, column 11")]
    [TestCase("{\"name\": 1}}", "at line 1, column 12")]
    public void Given_a_body_that_is_no_JSON_then_it_is_said_what_is_wrong_and_where(string json, string said)
    {
        using RequestBody body = Read(json);
        Assert.That(body.Error!.Error, Does.StartWith("The body is not valid JSON: ").And.Contain(said)
            .And.Not.Contain("depth").And.Not.Contain("LineNumber"));
    }

    [TestCase("""{"Name":"a"}""", "Name is not a field here; did you mean name?; name is required")]
    [TestCase("""{"nmae":"a"}""", "nmae is not a field here; did you mean name?; name is required")]
    [TestCase("""{"name":"a","initialStock":1}""", "initialStock is not a field here; did you mean initial_stock?")]
    [TestCase("""{"name":"a","lines":[{"product-id":"p"}]}""",
        "lines[0].product-id is not a field here; did you mean product_id?; lines[0].product_id is required")]
    [TestCase("""{"name":"a","total_amount":1,"names":2,"lines":[{"product_id":"p","unit_price":1}]}""", null)]
    public void Given_a_field_that_is_misspelt_then_the_field_that_was_meant_is_named_and_what_is_only_unknown_is_passed_over(
        string json, string? said)
    {
        using RequestBody body = Read(json);
        body.Root.Read(Name);
        body.Root.Read(Stock);
        body.Root.Read(Lines, static line => line.Read(Product));
        Assert.That(body.Error?.Error, Is.EqualTo(said));
    }

    [TestCase(15, true)]
    [TestCase(16, false)]
    public void Given_many_unknown_fields_then_the_first_16_are_compared_with_those_that_are_known(int before,
        bool isNamed)
    {
        string unknown = string.Concat(Enumerable.Range(0, before).Select(n => $"\"unknown_{n}\":0,"));
        using RequestBody body = Read($$"""{{{unknown}}"nmae":"a"}""");
        body.Root.Read(Name);
        Assert.That(body.Error!.Error,
            Is.EqualTo(isNamed ? "nmae is not a field here; did you mean name?; name is required"
            : "name is required"));
    }

    [Test]
    public void Given_a_route_that_is_mapped_without_a_body_when_its_handler_reads_the_body_then_it_is_told_what_is_missing()
    {
        HttpContext http = RequestOf(new ReusingPipe("{}"));
        Assert.That(() => RequestBody.Read(http), Throws.InvalidOperationException.With.Message.Contains("WithBody"));
    }

    private static readonly WholeNumberField Stock = new("initial_stock", 0, 9) { Description = "d", Example = "1" };
    private static readonly TextField Product =
        new("product_id", 1, 20) { Description = "d", Example = "\"a\"", IsRequired = true };
    private static readonly ListField Lines =
        new("lines", 0, 9, Product) { ItemSchema = "Line", Description = "d", Example = "[]" };

    private static RequestBody Read(string json) =>
        RequestBody.Read(RequestOf(new ReusingPipe(json), new JsonRequestBody("Thing", [Name, Stock, Lines])));

    private static DefaultHttpContext RequestOf(ReusingPipe pipe, params object[] metadata)
    {
        var http = new DefaultHttpContext();
        http.Features.Set<IRequestBodyPipeFeature>(pipe);
        http.SetEndpoint(new Endpoint(null, new EndpointMetadataCollection(metadata), "things"));
        return http;
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

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public override void CancelPendingRead() => throw new NotSupportedException();

        public override void Complete(Exception? exception = null) => throw new NotSupportedException();
    }
}
