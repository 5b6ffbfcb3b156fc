using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Shop.Platform.Modules;
using Shop.Platform.Requests;
using Shop.Platform.Security;

namespace Shop.Platform.OpenApi;

/// <summary>The OpenAPI document of one module, made from the descriptions and fields that its routes run on.</summary>
internal static partial class ModuleDocument
{
    private const string ProblemSchema = "Problem";

    /// <summary>Placeholder for the address of the server until a client requests the document.</summary>
    internal const string ServerMark = "{server}";

    private const string KeyScheme = "apiKey", MetricsKeyScheme = "metricsKey";

    public static void AddModuleDocument(this IServiceCollection services, ModuleIdentity module) =>
        services.AddOpenApi(module.Name, options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            // A schema can't be named when it is made, so this is done at the end, for the whole document.
            var choices = new ConcurrentDictionary<(string Schema, string Member), OneOfAttribute>();
            // A time is its text to clients.
            options.CreateSchemaReferenceId = static type => IsTime(type.Type) ? null : SchemaName(type);
            options.AddSchemaTransformer((schema, context, _) =>
            {
                Type type = context.JsonTypeInfo.Type;
                if (IsTime(type))
                {
                    JsonSchemaType orNull = type == typeof(UtcTime) ? default : JsonSchemaType.Null;
                    (schema.Type, schema.Format, schema.Description) =
                        (JsonSchemaType.String | orNull, "date-time", null);
                }

                if (type == typeof(decimal)) schema.Format = MoneyField.Format;
                foreach ((string member, OneOfAttribute one) in Choices(context.JsonTypeInfo))
                    choices[(SchemaName(context.JsonTypeInfo)!, member)] = one;
                return Task.CompletedTask;
            });
            options.AddDocumentTransformer((document, context, _) =>
            {
                Introduce(document, module, context.ApplicationServices.GetRequiredService<BuildInfo>().Version);
                foreach (((string schema, string member), OneOfAttribute one) in choices)
                    document.Components!.Schemas![schema].Properties![member] = Choices(document, one.Schema,
                        one.Values);
                return Task.CompletedTask;
            });
            options.AddOperationTransformer((operation, context, _) =>
            {
                Describe(operation, context.Description, context.Document!);
                return Task.CompletedTask;
            });
        });

    private static bool IsTime(Type type) => type == typeof(UtcTime) || type == typeof(UtcTime?);

    // The type OrderBody is the schema Order to clients.
    private static string? SchemaName(JsonTypeInfo type)
    {
        string? name = OpenApiOptions.CreateDefaultSchemaReferenceId(type);
        return name is not null && name.EndsWith("Body", StringComparison.Ordinal) ? name[..^4] : name;
    }

    private static IEnumerable<(string Member, OneOfAttribute Choices)> Choices(JsonTypeInfo type)
    {
        foreach (JsonPropertyInfo member in type.Properties)
        {
            object[] found = member.AttributeProvider?.GetCustomAttributes(typeof(OneOfAttribute), inherit: false)
                ?? [];
            if (found is [OneOfAttribute choices, ..]) yield return (member.Name, choices);
        }
    }

    /// <summary>A text that has one of these values, as a schema with a name.</summary>
    internal static OpenApiSchemaReference Choices(OpenApiDocument document, string name,
        IReadOnlyList<string> values) =>
        Named(document, name, new OpenApiSchema
        {
            Type = JsonSchemaType.String,
            Enum = [.. values.Select(value => JsonValue.Create(value))],
        });

    /// <summary>A schema under a name of its own.</summary>
    internal static OpenApiSchemaReference Named(OpenApiDocument document, string name, OpenApiSchema schema)
    {
        document.AddComponent(name, schema);
        return new OpenApiSchemaReference(name, document);
    }

    private static void Introduce(OpenApiDocument document, ModuleIdentity module, string version)
    {
        document.Info = new OpenApiInfo
        {
            Title = module.Title,
            Version = version,
            Description = module.Summary
                + " Every path answers under the prefix /api too. Errors are RFC 9457 problem details. "
                + "HEAD goes with every GET; another method on a known path is answered 405, and Allow lists the "
                + "methods that are possible. "
                + "A browser, which prefers text/html, gets pages.",
            Contact = new OpenApiContact { Name = "Shop" },
            License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
        };
        // HEAD is supported beside every GET, and is not documented again.
        foreach (IOpenApiPathItem path in document.Paths.Values) path.Operations!.Remove(HttpMethod.Head);
        document.Servers = [new OpenApiServer { Url = ServerMark, Description = "This shop." }];
        // In the order of the routes: a module's own come first.
        document.Tags = document.Paths.Values.SelectMany(path => path.Operations!.Values)
            .SelectMany(operation => operation.Tags ?? new HashSet<OpenApiTagReference>())
            .Select(tag => tag.Reference.Id!).Distinct(StringComparer.Ordinal)
            .Select(tag => new OpenApiTag { Name = tag, Description = TagDescription(tag) }).ToHashSet();
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
        {
            [KeyScheme] = Bearer(
                "A key of Shop:ApiKeys. If there are none, everybody may do everything; "
                + "if there are, everybody may read, unless Shop:ReadsNeedKey is set."),
            [MetricsKeyScheme] =
                Bearer("The key of Shop:MetricsKey. If there is none, everybody may read the metrics."),
        };
    }

    private static OpenApiSecurityScheme Bearer(string description) =>
        new() { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = description };

    // The settings decide whether a key is needed, so it is optional here.
    private static List<OpenApiSecurityRequirement> Security(Access access, OpenApiDocument document)
    {
        if (access != Access.Read && access != Access.Write && access != Access.Metrics) return [];
        string scheme = access == Access.Metrics ? MetricsKeyScheme : KeyScheme;
        return [new OpenApiSecurityRequirement(),
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(scheme, document)] = [] }];
    }

    private static string TagDescription(string tag) =>
        tag == "Service" ? "What every service of the shop has." : $"{tag} of the shop.";

    // The framework has added the name, the tags, the summary and the description; fields, errors and headers are added
    // here.
    private static void Describe(OpenApiOperation operation, ApiDescription route, OpenApiDocument document)
    {
        IList<object> metadata = route.ActionDescriptor.EndpointMetadata;
        string path = $"/{route.RelativePath}";
        operation.Parameters =
        [
            .. RouteParameter().Matches(path)
                .Select(match => Parameter(match.Groups["name"].Value, Find<PathExample>(metadata)?.Value)),
            .. Parameters(Find<QueryParameters>(metadata)?.Fields, ParameterLocation.Query, document),
            .. Parameters(Find<HeaderParameters>(metadata)?.Fields, ParameterLocation.Header, document),
        ];
        if (Find<AcceptsIdempotencyKey>(metadata) is not null)
            operation.Parameters.Add(Parameter(IdempotencyKey.Field, ParameterLocation.Header, document));
        if (Find<JsonRequestBody>(metadata) is { } body) operation.RequestBody = Body(body, document);
        operation.Security = Security(Find<Access>(metadata)!, document);

        OpenApiResponses typed = operation.Responses ?? [];
        operation.Responses = [];
        foreach (IProducesResponseTypeMetadata response in StandardResponses.Responses(metadata)
            .OrderBy(response => response.StatusCode))
        {
            string status = response.StatusCode.ToString();
            operation.Responses[status] = new OpenApiResponse
            {
                Description = response.Description,
                Content = Content(response, typed.GetValueOrDefault(status), metadata, document),
                Headers = ResponseHeaders.Of(metadata, path, response.StatusCode, document),
            };
        }
    }

    private static T? Find<T>(IList<object> metadata) => metadata.OfType<T>().LastOrDefault();

    private static Dictionary<string, OpenApiMediaType>? Content(
        IProducesResponseTypeMetadata response, IOpenApiResponse? typed, IList<object> metadata,
            OpenApiDocument document)
    {
        if (response.Type is null)
        {
            string[] contentTypes = [.. response.ContentTypes];
            return contentTypes.Length == 0 ? null
                : contentTypes.ToDictionary(type => type, type => new OpenApiMediaType { Schema = Schema(type) },
                    StringComparer.Ordinal);
        }

        string example = metadata.OfType<ResponseExample>()
            .Single(example => example.Status == response.StatusCode).Json;
        foreach (OpenApiMediaType media in typed!.Content!.Values) media.Example = JsonNode.Parse(example);
        return new Dictionary<string, OpenApiMediaType>(typed.Content, StringComparer.Ordinal);

        IOpenApiSchema Schema(string type) => type switch
        {
            Http.Problem.ContentType => Problem(Find<ProblemMember>(metadata)?.Field, document),
            "application/json" => new OpenApiSchema { Type = JsonSchemaType.Object },
            _ => new OpenApiSchema { Type = JsonSchemaType.String },
        };
    }

    private static OpenApiParameter Parameter(string name, string? example) => new()
    {
        Name = name,
        In = ParameterLocation.Path,
        Required = true,
        Description = $"The {name.Replace('_', ' ')}.",
        Schema = new OpenApiSchema { Type = JsonSchemaType.String },
        Example = example is null ? null : JsonValue.Create(example),
    };

    private static IEnumerable<OpenApiParameter> Parameters(
        IReadOnlyList<Field>? fields, ParameterLocation location, OpenApiDocument document) =>
        fields?.Select(field => Parameter(field, location, document)) ?? [];

    private static OpenApiParameter Parameter(Field field, ParameterLocation location, OpenApiDocument document)
    {
        IOpenApiSchema schema = field.DescribedSchema(document);
        // The page <c>/docs</c> sends every parameter with an example, so only required parameters have one.
        if (!field.IsRequired && schema is OpenApiSchema own) own.Examples = null;
        return new OpenApiParameter
        {
            Name = field.Name,
            In = location,
            Required = field.IsRequired,
            Description = field.Description,
            Schema = schema
        };
    }

    private static OpenApiRequestBody Body(JsonRequestBody body, OpenApiDocument document)
    {
        var example = new JsonObject();
        foreach (Field field in body.Fields.Where(static field => field.IsInRequestExample))
            example[field.Name] = JsonNode.Parse(field.Example);
        return new OpenApiRequestBody
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
            {
                ["application/json"] = new()
                {
                    Schema = Named(document, body.Schema, ObjectSchema.Of(body.Fields, document)),
                    Example = example,
                },
            },
        };
    }

    private static OpenApiSchemaReference Problem(Field? member, OpenApiDocument document)
    {
        OpenApiSchema schema = document.Components?.Schemas?.TryGetValue(ProblemSchema,
            out IOpenApiSchema? made) == true
            ? (OpenApiSchema)made : Problem();
        if (member is not null) schema.Properties![member.Name] = member.DescribedSchema(document);
        return Named(document, ProblemSchema, schema);
    }

    private static OpenApiSchema Problem() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "An error as RFC 9457 problem details.",
        Required = new HashSet<string>(StringComparer.Ordinal) { "type", "title", "status", "detail", "error",
            "trace_id" },
        Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal)
        {
            ["type"] = Text("about:blank, or the kind of problem as a URN.", "urn:shop:problem:queue-full"),
            ["title"] = Text("The status in words.", "Service Unavailable"),
            ["status"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Integer,
                Description = "The HTTP status code.",
                Examples = [503]
            },
            ["detail"] = Text("What is wrong with this request.",
                "Too many writes are waiting; try again in a second."),
            ["error"] = Text("The one line that a person reads.",
                "Too many writes are waiting; try again in a second."),
            ["trace_id"] = Text("The id under which the log has the request.", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ["errors"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Description = "Field path to messages: every error in the request.",
                AdditionalProperties = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array,
                    Items = new OpenApiSchema { Type = JsonSchemaType.String }
                },
            },
        },
    };

    private static OpenApiSchema Text(string description, string example) =>
        new() { Type = JsonSchemaType.String, Description = description, Examples = [example] };

    [GeneratedRegex(@"\{(?<name>\w+)\}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RouteParameter();
}
