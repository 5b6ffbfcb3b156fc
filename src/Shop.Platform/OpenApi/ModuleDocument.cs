using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Platform.OpenApi;

/// <summary>The OpenAPI document of one module, made from the descriptions and fields that its routes run on.</summary>
internal static partial class ModuleDocument
{
    private const string ProblemSchema = "Problem";

    /// <summary>What any JSON route may answer beside its own errors.</summary>
    internal static readonly (int Status, string Why)[] CommonErrors =
    [
        (400, "The request is wrong; every fault is named."),
        (401, "Keys are set (Shop:ApiKeys), and this takes one."),
        (403, "The key may read, but not write; or a page of another origin asks for a change."),
        (406, "The client takes no JSON."),
        (408, "The body did not arrive in time."),
        (429, "Too many requests at once; see Retry-After."),
        (500, "A fault of the shop; its log has it under the trace_id."),
        (503, "The shop can't do it now; see Retry-After."),
    ];

    public static void AddModuleDocument(this IServiceCollection services, ModuleIdentity module, string version) =>
        services.AddOpenApi(module.Name, options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            // A time is its text to clients.
            options.CreateSchemaReferenceId = static type => type.Type == typeof(UtcTime) ? null : OpenApiOptions.CreateDefaultSchemaReferenceId(type);
            options.AddSchemaTransformer(static (schema, context, _) =>
            {
                if (context.JsonTypeInfo.Type == typeof(UtcTime)) (schema.Type, schema.Format, schema.Description) = (JsonSchemaType.String, "date-time", null);
                return Task.CompletedTask;
            });
            options.AddDocumentTransformer((document, _, _) =>
            {
                Introduce(document, module, version);
                return Task.CompletedTask;
            });
            options.AddOperationTransformer((operation, context, _) =>
            {
                if (context.Description.ActionDescriptor.EndpointMetadata.OfType<RouteDescription>().FirstOrDefault() is { } route)
                    Describe(operation, route, context.Document!);
                return Task.CompletedTask;
            });
        });

    private static void Introduce(OpenApiDocument document, ModuleIdentity module, string version)
    {
        document.Info = new OpenApiInfo
        {
            Title = module.Title,
            Version = version,
            Description = module.Summary + " Every path answers under the prefix /api too. Errors are RFC 9457 problem details.",
            Contact = new OpenApiContact { Name = "Shop" },
            License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
        };
        // HEAD goes with every GET, and says nothing that GET does not.
        foreach (IOpenApiPathItem path in document.Paths.Values) path.Operations!.Remove(HttpMethod.Head);
        document.Servers = [new OpenApiServer { Url = "/" }];
        document.Tags = document.Paths.Values.SelectMany(path => path.Operations!.Values)
            .SelectMany(operation => operation.Tags ?? new HashSet<OpenApiTagReference>())
            .Select(tag => tag.Reference.Id!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Select(tag => new OpenApiTag { Name = tag, Description = TagDescription(tag) }).ToHashSet();
        document.Components ??= new OpenApiComponents();
        document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal);
        document.Components.Schemas[ProblemSchema] = Problem();
    }

    private static string TagDescription(string tag) => tag == "Service" ? "What every service of the shop has." : $"{tag} of the shop.";

    private static void Describe(OpenApiOperation operation, RouteDescription route, OpenApiDocument document)
    {
        operation.OperationId = route.OperationId;
        operation.Summary = route.Summary;
        operation.Description = route.Details;
        operation.Tags = new HashSet<OpenApiTagReference> { new(route.Tag, document) };
        operation.Parameters =
        [
            .. RouteParameter().Matches(route.Template).Select(match => Parameter(match.Groups["name"].Value, route.PathExample)),
            .. route.Query.Select(field => Parameter(field, ParameterLocation.Query)),
            .. route.Headers.Select(field => Parameter(field, ParameterLocation.Header)),
        ];
        if (route.TakesKey) operation.Parameters.Add(Parameter(IdempotencyKey.Field, ParameterLocation.Header));
        if (route.Body.Count > 0) operation.RequestBody = Body(route.Body);

        OpenApiResponses responses = operation.Responses ??= [];
        IDictionary<string, OpenApiMediaType>? typed = responses.TryGetValue(route.Answer.Status.ToString(), out IOpenApiResponse? made) ? made.Content : null;
        responses.Clear();
        responses[route.Answer.Status.ToString()] = new OpenApiResponse
        {
            Description = route.Answer.What,
            Content = Content(route, typed),
            Headers = route.TakesKey ? Replayed() : null,
        };
        foreach (var (status, why) in route.AllErrors.OrderBy(error => error.Status))
            responses[status.ToString()] = Error(status, why, document);
    }

    private static Dictionary<string, IOpenApiHeader> Replayed() => new(StringComparer.Ordinal)
    {
        [IdempotencyKey.ReplayedHeader] = new OpenApiHeader
        {
            Description = "true if this is the answer to an earlier, equal request with the same key; missing otherwise.",
            Schema = new OpenApiSchema { Type = JsonSchemaType.String, Enum = [JsonValue.Create("true")] },
        },
    };

    private static IDictionary<string, OpenApiMediaType>? Content(RouteDescription route, IDictionary<string, OpenApiMediaType>? typed)
    {
        if (route.Answer.Type is null)
        {
            return route.ContentType.Length == 0 ? null : new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
            {
                [route.ContentType] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.String } },
            };
        }

        if (typed is not null && route.Answer.Example is { } example)
        {
            foreach (OpenApiMediaType media in typed.Values) media.Example = JsonNode.Parse(example);
        }

        return typed;
    }

    private static OpenApiParameter Parameter(string name, string? example) => new()
    {
        Name = name,
        In = ParameterLocation.Path,
        Required = true,
        Description = $"The {name.Replace('_', ' ')}.",
        Schema = new OpenApiSchema { Type = JsonSchemaType.String },
        // The order is the one that the example of placing an order places.
        Example = JsonValue.Create(example ?? (name == "order_id" ? "checkout-17" : "prod_0")),
    };

    private static OpenApiParameter Parameter(Field field, ParameterLocation location)
    {
        OpenApiSchema schema = field.DescribedSchema();
        // A page for trying it out sends what has an example, so only what must be sent has one.
        if (!field.IsRequired) schema.Examples = null;
        return new OpenApiParameter { Name = field.Name, In = location, Required = field.IsRequired, Description = field.Description, Schema = schema };
    }

    private static OpenApiRequestBody Body(IReadOnlyList<Field> fields)
    {
        var example = new JsonObject();
        foreach (Field field in fields) example[field.Name] = JsonNode.Parse(field.Example);
        return new OpenApiRequestBody
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
            {
                ["application/json"] = new() { Schema = ObjectSchema.Of(fields), Example = example },
            },
        };
    }

    private static OpenApiResponse Error(int status, string why, OpenApiDocument document)
    {
        var response = new OpenApiResponse { Description = why };
        if (status < 400) return response;
        response.Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
        {
            ["application/problem+json"] = new() { Schema = new OpenApiSchemaReference(ProblemSchema, document) },
        };
        return response;
    }

    private static OpenApiSchema Problem() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "An error as RFC 9457 problem details.",
        Required = new HashSet<string>(StringComparer.Ordinal) { "type", "title", "status", "detail", "error", "trace_id" },
        Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal)
        {
            ["type"] = Text("about:blank, or the kind of problem as a URN.", "urn:shop:problem:insufficient-stock"),
            ["title"] = Text("The status in words.", "Conflict"),
            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "The HTTP status code.", Examples = [409] },
            ["detail"] = Text("What is wrong with this request.", "Too little stock: prod_3 has 2, 5 are wanted."),
            ["error"] = Text("The one line that a person reads.", "Too little stock: prod_3 has 2, 5 are wanted."),
            ["trace_id"] = Text("Where to find it in the log.", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ["errors"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Description = "Field path to messages: every fault of the request.",
                AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.Array, Items = new OpenApiSchema { Type = JsonSchemaType.String } },
            },
        },
    };

    private static OpenApiSchema Text(string description, string example) =>
        new() { Type = JsonSchemaType.String, Description = description, Examples = [example] };

    [GeneratedRegex(@"\{(?<name>\w+)\}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RouteParameter();
}
