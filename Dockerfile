# The native program: compiled for the processor, it needs no .NET. Dockerfile.runtime has the program on the .NET runtime.
FROM mcr.microsoft.com/dotnet/sdk:10.0-noble-aot AS build
WORKDIR /source
RUN echo "-p:PublishProfile=linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')" >/profile

# Restored apart from the source: only a change of the projects restores again.
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY src/Directory.Build.props src/Directory.Build.targets src/
COPY src/Shop.Host/Properties src/Shop.Host/Properties
COPY src/Shop.Host/Shop.Host.csproj src/Shop.Host/packages.lock.json src/Shop.Host/
COPY src/Shop.Platform/Shop.Platform.csproj src/Shop.Platform/packages.lock.json src/Shop.Platform/
COPY src/Modules/Inventory/Shop.Inventory.csproj src/Modules/Inventory/packages.lock.json src/Modules/Inventory/
COPY src/Modules/Orders/Shop.Orders.csproj src/Modules/Orders/packages.lock.json src/Modules/Orders/
COPY src/Modules/Products/Shop.Products.csproj src/Modules/Products/packages.lock.json src/Modules/Products/
RUN dotnet restore --locked-mode src/Shop.Host $(cat /profile)

COPY .editorconfig ./
COPY src src
ARG VERSION=0.1.0
ARG REVISION=unknown
RUN dotnet publish src/Shop.Host --no-restore -c Release -o /app $(cat /profile) \
      -p:Version="$VERSION" -p:SourceRevisionId="$REVISION" \
 && mkdir /data

# No shell, no package manager.
FROM mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Shop" \
      org.opencontainers.image.description="A small e-commerce back end that is built to be watched" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV Shop__DataDirectory=/data \
    Shop__BindAddress=* \
    Shop__AllowedHosts=shop \
    DOTNET_RUNNING_IN_CONTAINER=true \
    ASPNETCORE_HTTP_PORTS=
WORKDIR /app
COPY --from=build /app ./
# The image's own unprivileged user, app.
COPY --from=build --chown=1654:1654 /data /data
USER 1654
VOLUME /data
EXPOSE 5001 5002 5003
HEALTHCHECK --interval=10s --timeout=5s --retries=3 CMD ["/app/Shop.Host", "health"]
ENTRYPOINT ["/app/Shop.Host"]
